import { isHard } from "../labels.js";
import type { MatrixRows } from "../types.js";
import { gradNorm, peakOf } from "./gradients.js";
import { type Figures, OF_ANY_LABEL, OF_ONE_CLASS, SIGNED, type Signal } from "./signal.js";

/** Signals along a direction v. */
export const DIRECTION_SIGNALS = {
  influence: {
    ...OF_ANY_LABEL,
    ...SIGNED,
    reads: ["tangent"],
    formula: ({ atLogits, rows }) => atLogits && influenceOf(atLogits.gradient, rows.tangent),
  },
  alignment: {
    ...OF_ANY_LABEL,
    ...SIGNED,
    reads: ["gram", "tangent"],
    formula: ({ atLogits, rows, directionNorm }) =>
      atLogits && alignmentOf(atLogits.gradient, rows, directionNorm),
  },
  tangent: { ...OF_ONE_CLASS, ...SIGNED, reads: ["tangent"], formula: tangentOf },
} as const satisfies Record<string, Signal>;

/**
 * ⟨∇ℓ, v⟩ = Σ_k r_k ⟨∇z_k, v⟩. If v is the mean loss gradient of a validation set, a step of size η on the sample lowers the
 * validation loss by η times this, to first order (TracIn at one checkpoint: Pruthi et al. 2020, arXiv:2002.08484).
 *
 * @param gradient (K) r
 * @param tangent (K) ⟨∇z_k, v⟩
 */
export function influenceOf(gradient: readonly number[], tangent: ArrayLike<number>): number {
  return gradient.reduce((total, r, k) => total + r * (tangent[k] as number), 0);
}

/**
 * Cosine of ∇ℓ with v, in [−1, 1]; 0 if ∇ℓ or v is 0.
 *
 * @param gradient (K) r
 * @param rows gram (K, K), tangent (K) ⟨∇z_k, v⟩
 * @param directionNorm ‖v‖
 */
export function alignmentOf(
  gradient: readonly number[],
  { gram, tangent }: MatrixRows,
  directionNorm: number,
): number {
  const peak = peakOf(gradient);
  if (peak === 0) return 0;
  const relative = gradient.map((r) => r / peak);
  const norms = gradNorm(relative, gram) * directionNorm;
  // Rounding in float32 outputs may make the quotient exceed 1.
  return norms === 0 ? 0 : Math.min(1, Math.max(-1, influenceOf(relative, tangent) / norms));
}

/**
 * ⟨∇z, v⟩: the derivative of the logit along v. With several logits, that of the hard label's class, and null for a soft or
 * missing label, as for `probability`.
 */
function tangentOf({ logits, label, rows: { tangent } }: Figures): number | null {
  if (logits.length === 1) return tangent[0] as number;
  return isHard(label, logits.length) ? (tangent[label] as number) : null;
}
