import { distributionOf } from "./distribution.js";
import { groupLosses } from "./group-losses.js";
import { targetOf } from "./labels.js";
import { crossEntropy, type LossAtLogits, squaredError } from "./losses.js";
import { isGroupLoss, type Label, type LogitBatch, type LossName } from "./types.js";

/**
 * Loss and r = ∂ℓ/∂z of each of N samples. Under `pairwise` and `listwise` the loss is the group's, and r is the sample's share
 * of the group's gradient.
 *
 * @param labels (N); `labelFault` has found no fault
 * @param groups (N), read by group losses only
 * @returns (N), null for a sample without a label
 */
export function lossGradients(
  { logits, classes }: Pick<LogitBatch, "logits" | "classes">,
  labels: readonly Label[],
  loss: LossName,
  groups: readonly (string | null)[],
): (LossAtLogits | null)[] {
  if (isGroupLoss(loss)) return groupLosses(logits, labels, groups, loss);
  return labels.map((label, index) => {
    if (label === null) return null;
    if (loss === "mse") return squaredError(logits[index] as number, label as number);
    return crossEntropy(distributionOf(rowOf(logits, index, classes)), targetOf(label, classes), classes);
  });
}

/** (K) One sample's row of (N, K). For one logit it is a plain array, because a view would cost more than the work on it. */
export function rowOf(
  values: Float32Array | Float64Array,
  index: number,
  classes: number,
): ArrayLike<number> {
  return classes === 1 ? [values[index] as number] : values.subarray(index * classes, (index + 1) * classes);
}
