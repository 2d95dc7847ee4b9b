import type { JSX } from "preact";
import type { Model, ModelList } from "../api/answers.js";
import { formatBytes, formatCount } from "../format.js";
import { type Fact, Facts } from "../parts/facts.js";
import { Empty, State } from "../parts/state.js";
import { useAnswer } from "../use-answer.js";

/** The models: version, precision, graphs, memory. */
export function ModelsScreen(): JSX.Element {
  const answer = useAnswer("models", (client, signal) => client.read<ModelList>("v1/models", signal));
  return (
    <>
      <h1>Models</h1>
      <State answer={answer} what="Reading the models">
        {({ models, default: preset }) =>
          models.length === 0 ? (
            <Empty>
              <p>
                There is no model yet. Put a model folder into <code>ASSAY_MODELS_DIR</code>.
              </p>
            </Empty>
          ) : (
            models.map((model) => (
              <section class="panel" key={model.name}>
                <h2>
                  {model.name} <span class={`badge ${model.status}`}>{model.status}</span>
                  {model.name === preset && <span class="badge">default</span>}
                </h2>
                <Facts facts={factsOf(model)} />
              </section>
            ))
          )
        }
      </State>
    </>
  );
}

function factsOf(model: Model): Fact[] {
  const names = model.class_names?.join(", ");
  const facts: Fact[] = [
    { name: "Version", value: <code>{model.version}</code> },
    { name: "Task", value: model.task, ...(names !== undefined && { note: names }) },
    { name: "Precision", value: model.precision, note: `has ${model.precisions.join(", ")}` },
    { name: "Longest text", value: `${formatCount(model.tokens_max)} tokens` },
    {
      name: "Memory",
      value: formatBytes(model.memory.used_bytes),
      note: `${formatBytes(model.memory.forward_bytes)} expected to score`,
    },
    {
      name: "Gradients",
      value: model.gradient_scope ?? "none",
      note: model.gradient_graphs.length > 0 ? model.gradient_graphs.join(", ") : "only the proxies",
    },
  ];
  if (model.embedding !== null)
    facts.push({ name: "Embedding", value: model.embedding.size, note: `after ${model.embedding.after}` });
  if (model.learned !== null)
    facts.push({
      name: "Learned",
      value: model.learned.target,
      note: model.learned.stale ? "trained on another version" : "trained on this version",
    });
  return facts;
}
