import { lossGradients } from "./loss-gradients.js";
import { gradNorm } from "./signals/gradients.js";
import type { Label, LogitBatch, LossName } from "./types.js";

export interface DirectionCoefficients {
  /** (N, K) c. The sum over the samples is Σ_i Σ_k c_ik ∇z_ik. */
  readonly coefficients: Float64Array;
  /** Number of samples with ∇ℓ = 0. Their rows are 0. */
  readonly zeroGradients: number;
}

/**
 * The coefficient of each logit's gradient in a direction. For `loss_gradient` c = r, so the sum is Σ ∇ℓ_i. For `mean_direction`
 * c = r/‖∇ℓ‖, so the sum is Σ I_i, with I = ∇ℓ/‖∇ℓ‖ and I = 0 if ∇ℓ = 0.
 *
 * @param batch has `gram` for `mean_direction`
 * @param labels (N), none null; `labelFault` has found no fault
 * @param groups (N), read by group losses only; each group is complete
 */
export function directionCoefficients(
  kind: "loss_gradient" | "mean_direction",
  batch: LogitBatch,
  labels: readonly Label[],
  loss: LossName,
  groups: readonly (string | null)[],
): DirectionCoefficients {
  const { classes, gram } = batch;
  const coefficients = new Float64Array(labels.length * classes);
  let zeroGradients = 0;
  for (const [index, atLogits] of lossGradients(batch, labels, loss, groups).entries()) {
    if (atLogits === null) throw new RangeError(`sample ${index} has no label`);
    const norm = kind === "loss_gradient" ? 1 : normAt(index, atLogits.gradient, gram, classes);
    if (norm === 0 || atLogits.gradient.every((r) => r === 0)) {
      zeroGradients += 1;
      continue;
    }
    for (const [k, r] of atLogits.gradient.entries()) coefficients[index * classes + k] = r / norm;
  }
  return { coefficients, zeroGradients };
}

function normAt(
  index: number,
  gradient: readonly number[],
  gram: LogitBatch["gram"],
  classes: number,
): number {
  if (gram === undefined) throw new RangeError("mean_direction reads the gram");
  const entries = classes * classes;
  return gradNorm(gradient, gram.subarray(index * entries, (index + 1) * entries));
}
