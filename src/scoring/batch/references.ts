import { lossGradients } from "../../importance/loss-gradients.js";
import type { Stopwatch } from "../../observe/stopwatch.js";
import type { Caller, Ranker } from "../../ranker/port.js";
import type { Store } from "../../store/port.js";
import { type KnownOutputs, knownOutputs } from "../outputs/outputs.js";
import type { LabelledTexts } from "../requests/labelled.js";

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
