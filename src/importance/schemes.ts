import { ranksOf } from "./ranks.js";
import type { SchemeName, SignalName } from "./types.js";
import type { OptionValues } from "./weigh-options.js";

/** The options that only some schemes read. */
export const SCHEME_PARAMETERS = ["alpha", "temperature", "epsilon", "lambda"] as const;
export type SchemeParameters = Pick<OptionValues, (typeof SCHEME_PARAMETERS)[number]>;

export interface SchemeRule {
  /** The parameters that the scheme reads. */
  readonly parameters: readonly (keyof SchemeParameters)[];
  /** Takes only scores of at least 0. */
  readonly nonNegativeOnly: boolean;
  /** The only signal that the scheme can read; null if it can read any. */
  readonly signal: SignalName | null;
}

export const SCHEME_RULES: Readonly<Record<SchemeName, SchemeRule>> = {
  proportional: { parameters: ["alpha"], nonNegativeOnly: true, signal: null },
  softmax: { parameters: ["temperature"], nonNegativeOnly: false, signal: null },
  rank: { parameters: [], nonNegativeOnly: false, signal: null },
  inverse: { parameters: ["epsilon"], nonNegativeOnly: true, signal: null },
  uniform: { parameters: [], nonNegativeOnly: false, signal: null },
  unit_gradient: { parameters: ["lambda", "epsilon"], nonNegativeOnly: true, signal: "grad_norm" },
};

/**
 * Weights up to a common factor. Scores are taken relative to their extreme, so the largest raw weight is 1 (for `rank`, at most
 * N). Nothing overflows for scores from 5e-324 to the largest double.
 *
 * @param scores (N), finite, N ≥ 1; at least 0 if the scheme's rule says so
 * @returns (N), at least 0, at least one of them positive
 */
export function rawWeights(
  scores: Float64Array,
  scheme: SchemeName,
  { alpha, temperature, epsilon, lambda }: SchemeParameters,
): Float64Array {
  switch (scheme) {
    case "proportional":
      return proportional(scores, alpha);
    case "softmax": {
      const peak = largest(scores);
      return scores.map((s) => Math.exp((s - peak) / temperature));
    }
    case "rank":
      return ranksOf(scores);
    case "inverse": {
      // (m + ε)/(s + ε) with m the smallest score, written so that s + ε cannot overflow.
      const least = smallest(scores);
      return scores.map((s) => 1 / (1 + (s - least) / (least + epsilon)));
    }
    case "uniform":
      return new Float64Array(scores.length).fill(1);
    case "unit_gradient":
      return unitGradient(scores, lambda, epsilon);
  }
}

/** s^α. If all scores are 0, the weights are uniform. */
function proportional(scores: Float64Array, alpha: number): Float64Array {
  const peak = largest(scores);
  return scores.map((s) => (peak === 0 ? 1 : (s / peak) ** alpha));
}

/**
 * 1 + λ/max(s, ε) of gradient norms s. This weight adds λ times the unit gradient ∇ℓ_i/‖∇ℓ_i‖ to ∇ℓ_i, so the step ∇L becomes
 * ∇L + λE[∇ℓ/‖∇ℓ‖]. With m = max(s, ε) and m₀ the smallest m, the weight relative to the largest weight is
 * (m₀ + λ m₀/m)/(m₀ + λ). Its terms are divided by the larger of m₀ and λ, so that the sum cannot overflow.
 */
function unitGradient(norms: Float64Array, lambda: number, epsilon: number): Float64Array {
  const divisors = norms.map((norm) => Math.max(norm, epsilon));
  const least = smallest(divisors);
  const unit = Math.max(least, lambda);
  const loss = least / unit;
  const direction = lambda / unit;
  return divisors.map((divisor) => (loss + direction * (least / divisor)) / (loss + direction));
}

function largest(values: Float64Array): number {
  return values.reduce((a, b) => Math.max(a, b));
}

function smallest(values: Float64Array): number {
  return values.reduce((a, b) => Math.min(a, b));
}
