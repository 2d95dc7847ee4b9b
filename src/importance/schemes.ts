import { largest, smallest } from "./columns.js";
import { type RankQuantiles, rankQuantiles, rankWithin } from "./rank-quantiles.js";
import { ranksOf } from "./ranks.js";
import { sorted } from "./sorted.js";
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
 * A scheme with what it keeps of N scores, so that it weighs a further score in the same way. Plain JSON. `peak` is the largest
 * score, `least` the smallest (for `unit_gradient`, of max(s, ε)).
 */
export type FittedScheme =
  | { readonly scheme: "proportional"; readonly alpha: number; readonly peak: number }
  | { readonly scheme: "softmax"; readonly temperature: number; readonly peak: number }
  | { readonly scheme: "rank"; readonly quantiles: RankQuantiles }
  | { readonly scheme: "inverse"; readonly epsilon: number; readonly least: number }
  | { readonly scheme: "uniform" }
  | {
      readonly scheme: "unit_gradient";
      readonly lambda: number;
      readonly epsilon: number;
      readonly least: number;
    };

export interface RawWeights {
  /** (N) at least 0, at least one of them positive. */
  readonly raw: Float64Array;
  readonly fitted: FittedScheme;
}

/**
 * Weights up to a common factor. Scores are taken relative to their extreme, so the largest raw weight is 1 (for `rank`, at most
 * N). Nothing overflows for scores from 5e-324 to the largest double.
 *
 * @param scores (N), finite, N ≥ 1; at least 0 if the scheme's rule says so
 */
export function rawWeights(
  scores: Float64Array,
  scheme: SchemeName,
  parameters: SchemeParameters,
): RawWeights {
  if (scheme === "rank") {
    const order = sorted(scores);
    return { raw: ranksOf(scores, order), fitted: { scheme, quantiles: rankQuantiles(scores, order) } };
  }
  const fitted = fitScheme(scores, scheme, parameters);
  const raw = new Float64Array(scores.length);
  for (let index = 0; index < raw.length; index += 1) raw[index] = rawWeight(fitted, scores[index] as number);
  return { raw, fitted };
}

function fitScheme(
  scores: Float64Array,
  scheme: Exclude<SchemeName, "rank">,
  { alpha, temperature, epsilon, lambda }: SchemeParameters,
): FittedScheme {
  switch (scheme) {
    case "proportional":
      return { scheme, alpha, peak: largest(scores) };
    case "softmax":
      return { scheme, temperature, peak: largest(scores) };
    case "inverse":
      return { scheme, epsilon, least: smallest(scores) };
    case "uniform":
      return { scheme };
    case "unit_gradient":
      return { scheme, lambda, epsilon, least: Math.max(smallest(scores), epsilon) };
  }
}

/**
 * Weight of one score, in the unit of `rawWeights`. It is above 1 if the score is beyond the extreme of the N scores. Under `rank`
 * it is as exact as `rankWithin`.
 */
export function rawWeight(fitted: FittedScheme, score: number): number {
  switch (fitted.scheme) {
    case "proportional":
      // If all scores are 0, the weights are uniform.
      return fitted.peak === 0 ? 1 : (score / fitted.peak) ** fitted.alpha;
    case "softmax":
      return Math.exp((score - fitted.peak) / fitted.temperature);
    case "rank":
      return rankWithin(fitted.quantiles, score);
    case "inverse":
      return inverse(score, fitted.least, fitted.epsilon);
    case "uniform":
      return 1;
    case "unit_gradient":
      return unitGradient(Math.max(score, fitted.epsilon), fitted.least, fitted.lambda);
  }
}

/** (m + ε)/(s + ε) with m the smallest score, written so that no sum of a score and ε that could overflow occurs. */
function inverse(score: number, least: number, epsilon: number): number {
  if (score < least) return least / (score + epsilon) + epsilon / (score + epsilon);
  return 1 / (1 + (score - least) / (least + epsilon));
}

/**
 * 1 + λ/m of m = max(s, ε), s a gradient norm. This weight adds λ times the unit gradient ∇ℓ_i/‖∇ℓ_i‖ to ∇ℓ_i, so the step ∇L
 * becomes ∇L + λE[∇ℓ/‖∇ℓ‖]. With m₀ the smallest m, the weight relative to the largest weight is (m₀ + λ m₀/m)/(m₀ + λ). Its
 * terms are divided by the larger of m₀ and λ, so that the sum cannot overflow.
 */
function unitGradient(divisor: number, least: number, lambda: number): number {
  const unit = Math.max(least, lambda);
  const loss = least / unit;
  const direction = lambda / unit;
  // A later sample may have a divisor so far below that the quotient overflows; without λ it does not count.
  const byDirection = direction === 0 ? 0 : direction * (least / divisor);
  return (loss + byDirection) / (loss + direction);
}
