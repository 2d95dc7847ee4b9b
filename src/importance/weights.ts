import { clipped, type FittedClip, fitClip } from "./clip.js";
import { type DiagnosedWeights, type Diagnostics, diagnose } from "./diagnostics.js";
import {
  checkBase,
  type FittedFactors,
  type MultipliedWeights,
  multiplyFactors,
  type SampleFactors,
} from "./factors.js";
import { type FittedPart, type MixPart, mixRanks } from "./mix.js";
import { type FittedScheme, rawWeights, SCHEME_RULES } from "./schemes.js";
import { sum } from "./sum.js";
import type { SchemeName } from "./types.js";
import { checkOptions, type Normalisation, type WeighOptions } from "./weigh-options.js";

/**
 * What a weighting of N samples keeps, so that a sample that arrives later gets its weight by the same normaliser. Plain JSON:
 * every number is finite. It holds at most 1,025 numbers for each signal that is ranked, and a few otherwise.
 */
export interface Normaliser {
  /** N. */
  readonly count: number;
  /** What ranks the signals of a mix, in the order of the mix; null if the weighting reads one signal. */
  readonly mix: readonly FittedPart[] | null;
  readonly scheme: FittedScheme;
  readonly factors: FittedFactors;
  /** Sum of the N products of raw weight, base and balance. */
  readonly total: number;
  readonly smoothing: number;
  /** Null if the weighting has no clip. */
  readonly clip: FittedClip | null;
  readonly normalise: Normalisation;
}

export interface Weighting {
  /** (N) */
  readonly weights: Float64Array;
  readonly diagnostics: Diagnostics;
  /** Gives samples that arrive later their weights, by `laterWeight`. */
  readonly normaliser: Normaliser;
}

/** The factors of a weighting without base and balance. */
const NO_FACTORS: SampleFactors = {};
const UNMULTIPLIED: MultipliedWeights = {
  factors: { base_peak: null, class_counts: null },
  zeroProducts: false,
};

/**
 * Training weights or draw probabilities from N scores. The steps, in this order:
 *
 * 1. the scheme's raw weight of the score;
 * 2. × base;
 * 3. × balance, the inverse frequency of the sample's class (`clean`, × (1 − noise), would come before it, and is not built);
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

export interface NormalisedWeights extends DiagnosedWeights {
  readonly normaliser: Normaliser;
}

/**
 * Weights that sum to 1, from scores and factors that `weigh` takes. Every step after the first division keeps the sum, up to a
 * few roundings, so it is divided by only once.
 */
export function normalisedWeights(
  scores: Float64Array,
  options: WeighOptions,
  factors: SampleFactors = NO_FACTORS,
): NormalisedWeights {
  const count = scores.length;
  const { smoothing, clip, normalise } = options;
  const { raw: unclipped, fitted } = rawWeights(scores, options.scheme, options);
  const multiplied =
    options.base === null && !options.balance ? UNMULTIPLIED : multiplyFactors(unclipped, factors);
  const shares = { count, total: sum(unclipped), smoothing };
  for (let index = 0; index < count; index += 1) {
    unclipped[index] = shareOf(unclipped[index] as number, shares);
  }
  const fittedClip = clip === null ? null : fitClip(unclipped, clip);
  let weights = unclipped;
  if (fittedClip !== null) {
    weights = new Float64Array(count);
    for (let index = 0; index < count; index += 1) {
      weights[index] = clipped(fittedClip, unclipped[index] as number);
    }
  }
  const normaliser: Normaliser = {
    ...shares,
    mix: null,
    scheme: multiplied.zeroProducts ? { scheme: "uniform" } : fitted,
    factors: multiplied.factors,
    clip: fittedClip,
    normalise,
  };
  return { weights, unclipped, zeroProducts: multiplied.zeroProducts, normaliser };
}

/** Share of one product in the sum, mixed with the uniform share: (1 − λ)·x/Σx + λ/N. */
export function shareOf(
  product: number,
  { total, smoothing, count }: Pick<Normaliser, "total" | "smoothing" | "count">,
): number {
  return (1 - smoothing) * atMostFinite(product / total) + smoothing / count;
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

/**
 * @throws RangeError if the factors are not those that the options name, if their number is not `count`, or if a base is negative
 *   or not finite
 */
function checkFactors(
  { base, classes }: SampleFactors,
  options: Pick<WeighOptions, "base" | "balance">,
  count: number,
): void {
  if ((options.base !== null) !== Boolean(base))
    throw new RangeError("base needs its values, and values need base");
  if (options.balance !== Boolean(classes))
    throw new RangeError("balance needs classes, and classes need balance");
  for (const column of [base, classes]) {
    if (column && column.length !== count)
      throw new RangeError(`${column.length} factors for ${count} scores`);
  }
  for (let index = 0; base && index < count; index += 1) checkBase(base[index] as number);
}

/** The value, or the largest double if it is larger. */
export function atMostFinite(value: number): number {
  return Math.min(value, Number.MAX_VALUE);
}
