import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Model, ModelList, ScoreAnswer } from "../api/answers.js";
import { formatNumber } from "../format.js";
import { type Fact, Facts } from "../parts/facts.js";
import { Empty, State } from "../parts/state.js";
import { useAnswer } from "../use-answer.js";
import { bodyOf, type Pair } from "./try/pair.js";

/** Scores a pair that the reader pastes. Nothing of it is remembered by id. */
export function TryScreen(): JSX.Element {
  const models = useAnswer("models", (client, signal) => client.read<ModelList>("v1/models", signal));
  return (
    <>
      <h1>Try it</h1>
      <State answer={models} what="Reading the models">
        {({ models, default: preset }) =>
          models.length === 0 ? (
            <Empty>
              <p>There is no model to try. Put a model folder into ASSAY_MODELS_DIR.</p>
            </Empty>
          ) : (
            <Trial models={models} preset={preset} />
          )
        }
      </State>
    </>
  );
}

interface TrialProps {
  readonly models: readonly Model[];
  readonly preset: string | null;
}

function Trial({ models, preset }: TrialProps): JSX.Element {
  const [asked, ask] = useState<{ readonly pair: Pair; readonly turn: number } | null>(null);
  const [name, setName] = useState(preset ?? models[0]?.name ?? "");
  const model = models.find((each) => each.name === name);

  function submit(event: SubmitEvent & { readonly currentTarget: HTMLFormElement }): void {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const text = (field: string): string => String(fields.get(field) ?? "");
    ask((before) => ({
      pair: { query: text("query"), document: text("document"), label: text("label").trim() },
      turn: (before?.turn ?? 0) + 1,
    }));
  }

  return (
    <>
      <form class="panel stack" onSubmit={submit}>
        {models.length > 1 && (
          <label>
            Model
            <select value={name} onChange={(event) => setName(event.currentTarget.value)}>
              {models.map((each) => (
                <option key={each.name} value={each.name}>
                  {each.name}
                </option>
              ))}
            </select>
          </label>
        )}
        <label>
          Query
          <input name="query" required placeholder="usb c cable" />
        </label>
        <label>
          Document
          <textarea name="document" required rows={3} placeholder="USB-C charging cable, 2 m" />
        </label>
        <label>
          Label
          <input name="label" inputMode="decimal" size={8} aria-describedby="label-hint" />
        </label>
        <p id="label-hint" class="hint">
          {model?.task === "classification"
            ? `A class from 0 to ${model.classes - 1}.`
            : "1 if the document answers the query, 0 if not."}{" "}
          Without a label there is a score, but no loss.
        </p>
        <button type="submit" class="primary">
          Score
        </button>
      </form>
      {asked !== null && model !== undefined && (
        <Scored key={`${model.name} ${asked.turn}`} model={model} pair={asked.pair} />
      )}
    </>
  );
}

function Scored({ model, pair }: { readonly model: Model; readonly pair: Pair }): JSX.Element {
  const body = bodyOf(pair, model);
  const answer = useAnswer(JSON.stringify(body), (client, signal) =>
    client.post<ScoreAnswer>("v1/score", body, signal),
  );
  const box = useRef<HTMLElement>(null);
  const isThere = answer.value !== null;
  useEffect(() => {
    if (isThere) box.current?.focus();
  }, [isThere]);
  return (
    <section class="panel" ref={box} tabIndex={-1} aria-label="Answer">
      <h2>Answer</h2>
      <State answer={answer} what="Scoring">
        {(found) => (
          <>
            <Facts facts={factsOf(found)} />
            {found.results[0]?.truncated && (
              <p class="hint">The pair is longer than the model takes and was cut, the longer text first.</p>
            )}
          </>
        )}
      </State>
    </section>
  );
}

function factsOf({ results: [result], loss, model }: ScoreAnswer): Fact[] {
  if (result === undefined) return [];
  const { logit, logits = [], probability, grad_norm: norm, sensitivity } = result;
  const facts: Fact[] = [
    {
      name: logit === undefined ? "Logits" : "Score",
      value: logit === undefined ? logits.map(formatNumber).join(", ") : formatNumber(logit),
      note: `${model.name}@${model.version}`,
    },
  ];
  if (probability !== undefined) facts.push({ name: "Probability", value: formatNumber(probability) });
  if (result.loss !== undefined) facts.push({ name: "Loss", value: formatNumber(result.loss), note: loss });
  if (norm !== undefined)
    facts.push({ name: "Gradient norm", value: formatNumber(norm), note: "of the loss" });
  if (sensitivity !== undefined)
    facts.push({ name: "Sensitivity", value: formatNumber(sensitivity), note: "gradient of the score" });
  return facts;
}
