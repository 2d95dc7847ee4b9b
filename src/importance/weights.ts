import { capWeights } from "./clip.js";
import { type Diagnostics, diagnose } from "./diagnostics.js";
import { rawWeights, SCHEME_RULES, type SchemeName } from "./schemes.js";
import { sum } from "./sum.js";
import { checkOptions, type WeighOptions } from "./weigh-options.js";

export interface Weighting {
  /** (N) */
  readonly weights: Float64Array;
  /** (N) With role `probability` 1/(N p), null at p = 0, which is never drawn; null with role `multiplier`. */
  readonly multipliers: readonly (number | null)[] | null;
  readonly diagnostics: Diagnostics;
}

/**
 * Training weights or draw probabilities of N scores: scheme, smoothing, clip, normalise, in this order. Weights keep the
 * order of the scores (`inverse` turns it round), and equal scores weigh the same.
 *
 * @param scores (N), one signal's values, N ≥ 1
 * @throws RangeError where a score is not finite, or negative under a scheme that takes none, or an option lies outside
 *   its range: the caller has refused these
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

/** (N) Weights that sum to 1, of scores that `weigh` takes. Every step keeps the sum to within a few roundings, so only the first divides by it. */
export function normalisedWeights(scores: Float64Array, options: WeighOptions): Float64Array {
  const count = scores.length;
  const { smoothing, clip } = options;
  const raw = rawWeights(scores, options.scheme, options);
  const total = sum(raw);
  const smoothed = raw.map((w) => (1 - smoothing) * (w / total) + smoothing / count);
  return clip === null ? smoothed : capWeights(smoothed, clip);
}

/** 1/(N p); null where p is 0 or so small that the quotient is no double. */
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
