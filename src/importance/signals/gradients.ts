import type { Distribution } from "../distribution.js";
import {
  type Figures,
  NON_NEGATIVE,
  normOf,
  OF_ANY_LABEL,
  OF_NO_LABEL,
  OF_PROBABILITIES,
  type Signal,
} from "./signal.js";

/** Norms of gradients. */
export const GRADIENT_SIGNALS = {
  grad_norm_last: { ...OF_ANY_LABEL, ...NON_NEGATIVE, formula: gradNormLast },
  grad_norm: {
    ...OF_ANY_LABEL,
    ...NON_NEGATIVE,
    reads: ["gram"],
    formula: ({ atLogits, rows }) => atLogits && gradNorm(atLogits.gradient, rows.gram),
  },
  sensitivity: {
    ...OF_NO_LABEL,
    ...NON_NEGATIVE,
    reads: ["gram"],
    formula: ({ logits, rows }) => sensitivityOf(rows.gram, logits.length),
  },
  expected_grad_norm: {
    ...OF_NO_LABEL,
    ...NON_NEGATIVE,
    losses: OF_PROBABILITIES,
    reads: ["gram"],
    formula: ({ logits, distribution, rows }) =>
      distribution && expectedGradNorm(distribution, rows.gram, logits.length),
  },
} as const satisfies Record<string, Signal>;

/**
 * ‖r‖·√(‖h‖² + 1): the norm of the loss gradient with respect to the weight and bias of the last layer z = Wh + b, because
 * ∂ℓ/∂W = r hᵀ and ∂ℓ/∂b = r. It is a proxy for the gradient over all parameters (Katharopoulos & Fleuret 2018, "Not All Samples
 * Are Created Equal", arXiv:1803.00942). Their bound is ‖r‖ alone, up to a factor common to all samples.
 */
function gradNormLast({ atLogits, featureNormSquared }: Figures): number | null {
  return atLogits && normOf(atLogits.gradient) * Math.sqrt(featureNormSquared + 1);
}

/**
 * Norm of the loss gradient over all parameters, √(rᵀ Γ r). This is exact, because ∇ℓ = Σ_k r_k ∇z_k. If only the label changes,
 * it needs no run of the model. If rounding in Γ's float32 makes rᵀ Γ r negative, the norm is 0.
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
  // Relative to the largest component; otherwise the square of a saturated sample's r would underflow to 0.
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
 * Σ_y p(y) ‖∇ℓ_y‖ over the C = max(2, K) labels that the sample could have, under (binary) cross-entropy. For one logit it is
 * 2p(1 − p)‖∇z‖. This is the expected gradient length of Settles, Craven & Ray 2007, "Multiple-Instance Active Learning", NIPS.
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

/** max |r_k|. */
export function peakOf(gradient: readonly number[]): number {
  return gradient.reduce((peak, r) => Math.max(peak, Math.abs(r)), 0);
}
