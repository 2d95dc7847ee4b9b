import { lossGradients } from "../importance/loss-gradients.js";
import type { Caller, Ranker } from "../ranker/port.js";
import type { Store } from "../store/port.js";
import type { LabelledTexts } from "./labelled.js";
import { type KnownOutputs, knownOutputs } from "./outputs.js";
import type { Stopwatch } from "./stopwatch.js";

/** (N) Losses under the same labels, and what they were made from. */
export interface ReferenceLosses {
  readonly losses: readonly (number | null)[];
  readonly outputs: KnownOutputs;
}

/** The loss of each sample under a reference model, at the precision that this has by default; null without a label. */
export async function referenceLosses(
  ports: { ranker: Ranker; store: Store },
  { texts, labels, groups, loss }: LabelledTexts,
  stopwatch: Stopwatch,
  caller: Caller,
): Promise<ReferenceLosses> {
  const wanted = { graph: "forward", precision: ports.ranker.model.precision } as const;
  const outputs = await knownOutputs(ports, texts, wanted, stopwatch, caller);
  const losses = lossGradients(outputs, labels, loss, groups).map((one) => one?.loss ?? null);
  return { losses, outputs };
}
