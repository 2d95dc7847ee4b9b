import { lossGradients } from "../../importance/loss-gradients.js";
import { type KnownOutputs, knownOutputs } from "../outputs/outputs.js";
import type { ModelPorts, Watch } from "../ports.js";
import type { LabelledTexts } from "../requests/sample.js";

/** (N) Losses under the same labels, and the outputs from which they were computed. */
export interface ReferenceLosses {
  readonly losses: readonly (number | null)[];
  readonly outputs: KnownOutputs;
}

/** The loss of each sample under a reference model, at that model's default precision; null without a label. */
export async function referenceLosses(
  ports: ModelPorts,
  { texts, labels, groups, loss }: LabelledTexts,
  watch: Watch,
): Promise<ReferenceLosses> {
  const wanted = { graph: "forward", precision: ports.ranker.model.precision } as const;
  const outputs = await knownOutputs(ports, texts, wanted, watch);
  const losses = lossGradients(outputs, labels, loss, groups).map((one) => one?.loss ?? null);
  return { losses, outputs };
}
