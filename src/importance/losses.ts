import type { Distribution } from "./distribution.js";

/** The loss of one sample and its gradient with respect to the logits. */
export interface LossAtLogits {
  readonly loss: number;
  /** (K) r = ∂ℓ/∂z. */
  readonly gradient: readonly number[];
}

/**
 * Cross-entropy ℓ = −Σ_k y_k ln p_k with r = p − y. Binary cross-entropy is the same for the logits (0, z); only the second
 * component of r then belongs to a logit. r is computed as (1 − y)p − y(1 − p), which keeps the precision of a hard label's
 * residual.
 *
 * @param distribution of C = max(2, K) classes
 * @param target (C), sums to 1
 * @param classes K
 */
export function crossEntropy(
  { probabilities, complements, surprisals }: Distribution,
  target: readonly number[],
  classes: number,
): LossAtLogits {
  const lossOf = (k: number): number => (target[k] as number) * (surprisals[k] as number);
  const residualOf = (k: number): number => {
    const y = target[k] as number;
    return (1 - y) * (probabilities[k] as number) - y * (complements[k] as number);
  };
  if (classes === 1) return { loss: lossOf(0) + lossOf(1), gradient: [residualOf(1)] };
  return {
    loss: target.reduce((sum, _, k) => sum + lossOf(k), 0),
    gradient: target.map((_, k) => residualOf(k)),
  };
}

/** Squared error ℓ = (z − y)² of one logit, without a factor ½, with r = 2(z − y). */
export function squaredError(logit: number, label: number): LossAtLogits {
  const difference = logit - label;
  return { loss: difference * difference, gradient: [2 * difference] };
}
