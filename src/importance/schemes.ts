import { ranksOf } from "./ranks.js";
import type { SignalName } from "./types.js";
import type { OptionValues } from "./weigh-options.js";

/** Ways from scores to weights. */
export const SCHEMES = ["proportional", "softmax", "rank", "inverse", "uniform", "unit_gradient"] as const;
export type SchemeName = (typeof SCHEMES)[number];

/** The options that some schemes read and others do not. */
export const SCHEME_PARAMETERS = ["alpha", "temperature", "epsilon", "lambda"] as const;
export type SchemeParameters = Pick<OptionValues, (typeof SCHEME_PARAMETERS)[number]>;

export interface SchemeRule {
  /** The parameters that the scheme reads. */
  readonly parameters: readonly (keyof SchemeParameters)[];
  /** Takes only scores of at least 0. */
  readonly nonNegativeOnly: boolean;
  /** The one signal that the scheme has a meaning for; null where any does. */
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
 * Weights up to a common factor. Scores are taken relative to their extreme first, so that the largest raw weight is 1
 * (for `rank` N at most) and nothing overflows, from 5e-324 to the largest double.
 *
 * @param scores (N), finite, N ≥ 1; at least 0 where the scheme's rule says so
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
      // (m + ε)/(s + ε) with m the smallest score, in a form where s + ε cannot overflow.
      const least = smallest(scores);
      return scores.map((s) => 1 / (1 + (s - least) / (least + epsilon)));
    }
    case "uniform":
      return new Float64Array(scores.length).fill(1);
    case "unit_gradient":
      return unitGradient(scores, lambda, epsilon);
  }
}

/** s^α; all zeros mean uniform. */
function proportional(scores: Float64Array, alpha: number): Float64Array {
  const peak = largest(scores);
  return scores.map((s) => (peak === 0 ? 1 : (s / peak) ** alpha));
}

/**
 * 1 + λ/max(s, ε) of gradient norms s: weighing ∇ℓ_i so adds λ times the unit gradient ∇ℓ_i/‖∇ℓ_i‖ to it, which turns the step
 * ∇L into ∇L + λE[∇ℓ/‖∇ℓ‖]. With m = max(s, ε) and m₀ the least of them, relative to the largest weight: (m₀ + λ m₀/m)/(m₀ + λ), whose
 * terms are taken relative to the larger of m₀ and λ, so that the sum cannot overflow.
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
