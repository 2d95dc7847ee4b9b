import { clipped, type FittedClip } from "./clip.js";
import { type FactorsOfSample, type FittedFactors, multiplyLater } from "./factors.js";
import { type FittedPart, mixedRankWithin } from "./mix.js";
import { type FittedScheme, rawWeight, SCHEME_RULES } from "./schemes.js";
import type { Normalisation } from "./weigh-options.js";

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

/**
 * Weight of a sample that arrived after the N were weighed, in the unit of their weights. The N keep theirs, so all weights together
 * exceed the sum (or their mean 1) until the next weighing.
 *
 * A sample that equals one of the N in scores and factors gets that sample's weight, within a relative 1e-12. Under a mix or the
 * scheme `rank` this holds up to N = 1,025. Above it, ranks are interpolated between quantiles: under `rank` the weight is off
 * by less than 1/500 of the mean weight before the clip, and the mean rank of a mix by less than 1/1024 + 1/N.
 *
 * A score beyond those of the N can get more than any of them. The result is at most the largest double.
 *
 * @param values the sample's score; under a mix, one for each signal, in the order of the mix
 * @throws RangeError if a value is absent or not finite, if the scheme takes no negative values and one is, or if the sample lacks
 *   a base or a class that the weighting reads
 */
export function laterWeight(
  normaliser: Normaliser,
  values: readonly number[],
  factors: FactorsOfSample = {},
): number {
  const { count, clip, normalise } = normaliser;
  const raw = atMostFinite(rawWeight(normaliser.scheme, scoreOf(normaliser, values)));
  const product = atMostFinite(multiplyLater(raw, normaliser.factors, factors));
  const share = shareOf(product, normaliser);
  const weight = clip === null ? share : clipped(clip, share);
  return normalise === "mean" ? atMostFinite(weight * count) : weight;
}

/** Share of one product in the sum, mixed with the uniform share: (1 − λ)·x/Σx + λ/N. */
export function shareOf(
  product: number,
  { total, smoothing, count }: Pick<Normaliser, "total" | "smoothing" | "count">,
): number {
  return (1 - smoothing) * atMostFinite(product / total) + smoothing / count;
}

function scoreOf({ mix, scheme: { scheme } }: Normaliser, values: readonly number[]): number {
  const wanted = mix === null ? 1 : mix.length;
  if (values.length !== wanted) throw new RangeError(`takes ${wanted} values, not ${values.length}`);
  if (!values.every(Number.isFinite)) throw new RangeError("a score is not finite");
  if (mix !== null) return mixedRankWithin(mix, values);
  const score = values[0] as number;
  if (SCHEME_RULES[scheme].nonNegativeOnly && score < 0) {
    throw new RangeError(`${scheme} takes scores of at least 0`);
  }
  return score;
}

function atMostFinite(value: number): number {
  return Math.min(value, Number.MAX_VALUE);
}
