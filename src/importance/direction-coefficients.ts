import { lossGradients } from "./loss-gradients.js";
import { gradNorm } from "./signals/gradients.js";
import type { Label, LogitBatch, LossName } from "./types.js";

export interface DirectionCoefficients {
  /** (N, K) c, with which Σ_i Σ_k c_ik ∇z_ik is the sum over the samples. */
  readonly coefficients: Float64Array;
  /** Samples with ∇ℓ = 0, whose rows are 0. */
  readonly zeroGradients: number;
}

/**
 * What each logit's gradient counts in a direction: for `loss_gradient` c = r, so that the sum is Σ ∇ℓ_i; for
 * `mean_direction` c = r/‖∇ℓ‖, so that it is Σ I_i with I = ∇ℓ/‖∇ℓ‖, and I = 0 where ∇ℓ = 0.
 *
 * @param batch with `gram` for `mean_direction`
 * @param labels (N) each passed by `labelFault`, none null
 * @param groups (N) read by group losses only; each group whole
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
