import type { Distribution } from "./distribution.js";

/**
 * Norm of the loss gradient over all parameters, √(rᵀ Γ r): with ∇ℓ = Σ_k r_k ∇z_k this is exact, and costs no model run
 * when only the label changes. A form that rounding in Γ's float32 has left below 0 is 0.
 *
 * @param gradient (K) r = ∂ℓ/∂z
 * @param gram (K, K) Γ_kl = ⟨∇z_k, ∇z_l⟩
 */
export function gradNorm(gradient: readonly number[], gram: ArrayLike<number>): number {
  if (gradient.length === 1) return Math.abs(gradient[0] as number) * Math.sqrt(gram[0] as number);
  const peak = peakOf(gradient);
  if (peak === 0) return 0;
  const classes = gradient.length;
  let form = 0;
  // Relative to the largest component, or the square of a saturated sample's r would vanish.
  for (let k = 0; k < classes; k += 1) {
    for (let l = 0; l < classes; l += 1) {
      const entry = gram[k * classes + l] as number;
      form += ((gradient[k] as number) / peak) * ((gradient[l] as number) / peak) * entry;
    }
  }
  return peak * Math.sqrt(Math.max(0, form));
}

/**
 * √tr Γ, the norm of the logits' Jacobian over all parameters; ‖∇z‖ for one logit.
 *
 * @param gram (K, K)
 */
export function sensitivityOf(gram: ArrayLike<number>, classes: number): number {
  let trace = 0;
  for (let k = 0; k < classes; k += 1) trace += gram[k * (classes + 1)] as number;
  return Math.sqrt(trace);
}

/**
 * Σ_y p(y) ‖∇ℓ_y‖ over the C = max(2, K) labels that the sample could have, under (binary) cross-entropy; for one logit
 * 2p(1 − p)‖∇z‖. Settles, Craven & Ray 2007, "Multiple-Instance Active Learning", NIPS: expected gradient length.
 *
 * @param distribution of C classes
 * @param gram (K, K)
 */
export function expectedGradNorm(
  { probabilities, complements }: Distribution,
  gram: ArrayLike<number>,
  classes: number,
): number {
  if (classes === 1) {
    return 2 * (probabilities[1] as number) * (complements[1] as number) * Math.sqrt(gram[0] as number);
  }
  return probabilities.reduce((total, chance, label) => {
    const gradient = probabilities.map((p, k) => (k === label ? -(complements[k] as number) : p));
    return total + chance * gradNorm(gradient, gram);
  }, 0);
}

/**
 * ⟨∇ℓ, v⟩ = Σ_k r_k ⟨∇z_k, v⟩. With v the mean loss gradient of a validation set, a step of η on the sample lowers its loss
 * by η times this, to first order (TracIn at one checkpoint: Pruthi et al. 2020, arXiv:2002.08484).
 *
 * @param gradient (K) r
 * @param tangent (K) ⟨∇z_k, v⟩
 */
export function influenceOf(gradient: readonly number[], tangent: ArrayLike<number>): number {
  return gradient.reduce((total, r, k) => total + r * (tangent[k] as number), 0);
}

/**
 * Cosine of ∇ℓ with v, in [−1, 1]; 0 where ∇ℓ or v is 0.
 *
 * @param gradient (K) r
 * @param gram (K, K)
 * @param tangent (K) ⟨∇z_k, v⟩
 * @param directionNorm ‖v‖
 */
export function alignmentOf(
  gradient: readonly number[],
  gram: ArrayLike<number>,
  tangent: ArrayLike<number>,
  directionNorm: number,
): number {
  const peak = peakOf(gradient);
  if (peak === 0) return 0;
  const relative = gradient.map((r) => r / peak);
  const norms = gradNorm(relative, gram) * directionNorm;
  // Rounding in float32 outputs may carry the quotient past 1.
  return norms === 0 ? 0 : Math.min(1, Math.max(-1, influenceOf(relative, tangent) / norms));
}

function peakOf(gradient: readonly number[]): number {
  return gradient.reduce((peak, r) => Math.max(peak, Math.abs(r)), 0);
}
