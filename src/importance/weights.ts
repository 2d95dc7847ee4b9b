import { type Diagnostics, diagnose } from "./diagnostics.js";
import { checkFactors, NO_FACTORS, type SampleFactors } from "./factors.js";
import { type MixPart, mixRanks } from "./mix.js";
import { normalisedWeights } from "./normalised-weights.js";
import type { Normaliser } from "./normaliser.js";
import { SCHEME_RULES } from "./schemes.js";
import type { SchemeName } from "./types.js";
import { checkOptions, type WeighOptions } from "./weigh-options.js";

export interface Weighting {
  /** (N) */
  readonly weights: Float64Array;
  readonly diagnostics: Diagnostics;
  /** Gives samples that arrive later their weights, by `laterWeight`. */
  readonly normaliser: Normaliser;
}

/**
 * Training weights or draw probabilities from N scores. The steps, in this order:
 *
 * 1. the scheme's raw weight of the score;
 * 2. × base;
 * 3. × balance, the inverse frequency of the sample's class;
 * 4. division by the sum;
 * 5. smoothing: mixed with the uniform;
 * 6. clip: a cap by water-filling, which keeps the sum;
 * 7. normalise: × N for weights of mean 1.
 *
 * Among samples of equal base and class, a larger score never gets a smaller weight (for `inverse` and `unit_gradient`, never a
 * larger one), and equal scores get equal weights. It takes linear time, and at most 24 bytes a sample beyond scores and weights.
 *
 * @param scores (N), one signal's values, N ≥ 1
 * @throws RangeError if a score is not finite, if it is negative and the scheme takes no negative scores, if an option is
 *   outside its range, or if the factors are not those that the options name. The caller must refuse such requests before
 */
export function weigh(
  scores: Float64Array,
  options: WeighOptions,
  factors: SampleFactors = NO_FACTORS,
): Weighting {
  checkScores(scores, options.scheme);
  checkOptions(options);
  checkFactors(factors, options, scores.length);
  const steps = normalisedWeights(scores, options, factors);
  const { weights, normaliser } = steps;
  const diagnostics = diagnose(scores, steps, options);
  if (options.normalise === "mean") {
    for (let index = 0; index < weights.length; index += 1) {
      weights[index] = (weights[index] as number) * weights.length;
    }
  }
  return { weights, diagnostics, normaliser };
}

/** `weigh`, by the mean ranks of several signals. The normaliser then ranks later samples too. */
export function weighMix(
  parts: readonly MixPart[],
  options: WeighOptions,
  factors: SampleFactors = NO_FACTORS,
): Weighting {
  const { scores, fitted } = mixRanks(parts);
  const weighting = weigh(scores, options, factors);
  return { ...weighting, normaliser: { ...weighting.normaliser, mix: fitted } };
}

/** 1/(N p) of a draw probability p; null if p is 0, or so small that the quotient is not finite: the sample is never drawn. */
export function multiplierOf(p: number, count: number): number | null {
  const multiplier = 1 / (count * p);
  return Number.isFinite(multiplier) ? multiplier : null;
}

function checkScores(scores: Float64Array, scheme: SchemeName): void {
  if (scores.length === 0) throw new RangeError("no scores to weigh");
  const { nonNegativeOnly } = SCHEME_RULES[scheme];
  for (let index = 0; index < scores.length; index += 1) {
    const score = scores[index] as number;
    if (!Number.isFinite(score)) throw new RangeError("a score is not finite");
    if (nonNegativeOnly && score < 0) throw new RangeError(`${scheme} takes scores of at least 0`);
  }
}
