import { capWeights } from "./clip.js";
import { type Diagnostics, diagnose } from "./diagnostics.js";
import { rawWeights, SCHEME_RULES } from "./schemes.js";
import { sum } from "./sum.js";
import type { SchemeName } from "./types.js";
import { checkOptions, type WeighOptions } from "./weigh-options.js";

export interface Weighting {
  /** (N) */
  readonly weights: Float64Array;
  /** (N) With role `probability`, 1/(N p), or null if p = 0, because the sample is never drawn. Null with role `multiplier`. */
  readonly multipliers: readonly (number | null)[] | null;
  readonly diagnostics: Diagnostics;
}

/**
 * Training weights or draw probabilities from N scores. It applies scheme, smoothing, clip and normalise, in this order. A larger
 * score never gets a smaller weight (for `inverse` and `unit_gradient`, never a larger one), and equal scores get equal weights.
 *
 * @param scores (N), one signal's values, N ≥ 1
 * @throws RangeError if a score is not finite, if it is negative and the scheme takes no negative scores, or if an option is
 *   outside its range. The caller must refuse such requests before
 */
export function weigh(scores: Float64Array, options: WeighOptions): Weighting {
  checkScores(scores, options.scheme);
  checkOptions(options);
  const normalised = normalisedWeights(scores, options);
  const asProbability = options.role === "probability";
  return {
    weights: options.normalise === "mean" ? normalised.map((w) => w * normalised.length) : normalised,
    multipliers: asProbability ? Array.from(normalised, (p) => multiplierOf(p, normalised.length)) : null,
    diagnostics: diagnose(scores, normalised, options),
  };
}

/**
 * (N) Weights that sum to 1, from scores that `weigh` takes. Every step after the first division keeps the sum, up to a few
 * roundings, so it is divided by only once.
 */
export function normalisedWeights(scores: Float64Array, options: WeighOptions): Float64Array {
  const count = scores.length;
  const { smoothing, clip } = options;
  const raw = rawWeights(scores, options.scheme, options);
  const total = sum(raw);
  const smoothed = raw.map((w) => (1 - smoothing) * (w / total) + smoothing / count);
  return clip === null ? smoothed : capWeights(smoothed, clip);
}

/** 1/(N p); null if p is 0, or so small that the quotient is not finite. */
function multiplierOf(p: number, count: number): number | null {
  const multiplier = 1 / (count * p);
  return Number.isFinite(multiplier) ? multiplier : null;
}

function checkScores(scores: Float64Array, scheme: SchemeName): void {
  if (scores.length === 0) throw new RangeError("no scores to weigh");
  if (!scores.every(Number.isFinite)) throw new RangeError("a score is not finite");
  if (SCHEME_RULES[scheme].nonNegativeOnly && scores.some((s) => s < 0)) {
    throw new RangeError(`${scheme} takes scores of at least 0`);
  }
}
