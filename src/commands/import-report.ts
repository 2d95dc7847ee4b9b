import { suitableSignals } from "../importance/signals/suitability.js";
import { SIGNAL_TABLE } from "../importance/signals/table.js";
import type { LossName } from "../importance/types.js";
import type { ImportReport } from "../ranker/import/import-folder.js";

/** Lines for the user: what an import found, and which signals it can and cannot serve. `output` null: nothing was written. */
export function renderImport(report: ImportReport, output: string | null): string {
  const { manifest, graph, lastLayer, findings } = report;
  const { name, architecture, task, classes, head, max_tokens: tokensMax } = manifest;
  const { served, lacking } = signalsOf(manifest);
  const lines = [
    `${name}: ${architecture.family}, ${task}, ${classes} logit(s), ${tokensMax} tokens, from ${graph}`,
    `last layer: ${lastLayer.node}, ${head.features} features to ${classes} logit(s)`,
    `features: ${lastLayer.features}`,
    `checked: logits are features times weights${lastLayer.hasBias ? " plus bias" : ""}, error ${findings.lastLayerError.toPrecision(2)}`,
    `checked: a text has the same logits alone as in a batch, error ${findings.batchError.toPrecision(2)}`,
    `checked: an input of ${tokensMax} tokens runs`,
    ...notesOn(report).map((note) => `note: ${note}`),
    `served: ${served.join(", ")}`,
    `not served: ${lacking.join(", ")}, directions and attributions, because an ONNX export holds no backward pass; embeddings; precision int8; PUT weights`,
    "to serve these too, export the checkpoint: python -m assay.export folder",
    output === null ? "dry run: nothing was written" : `written: ${output}`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Signals under the task's loss, by whether they read a gradient. */
function signalsOf({ task, classes }: ImportReport["manifest"]): { served: string[]; lacking: string[] } {
  const loss: LossName = task === "regression" ? "mse" : classes === 1 ? "bce" : "cross_entropy";
  const readsGradient = (name: keyof typeof SIGNAL_TABLE): boolean =>
    SIGNAL_TABLE[name].reads.some((reading) => reading === "gram" || reading === "tangent");
  const suitable = suitableSignals(loss).filter((name) => !SIGNAL_TABLE[name].reads.includes("learned"));
  return {
    served: suitable.filter((name) => !readsGradient(name)),
    lacking: suitable.filter(readsGradient),
  };
}

function notesOn({ lastLayer, activation, knownDifferences }: ImportReport): string[] {
  return [
    "tokens were not compared with Hugging Face's, and logits were not compared with PyTorch's",
    ...(activation === null ? [] : [`the graph ends in a ${activation}; the logits are its input`]),
    ...(lastLayer.hasBias
      ? []
      : ["the last layer has no bias, but grad_norm_last includes one: √(‖h‖² + 1)"]),
    ...knownDifferences,
  ];
}
