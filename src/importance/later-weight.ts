import { clipped } from "./clip.js";
import { type FactorsOfSample, multiplyLater } from "./factors.js";
import { mixedRankWithin } from "./mix.js";
import { rawWeight, SCHEME_RULES } from "./schemes.js";
import { atMostFinite, type Normaliser, shareOf } from "./weights.js";

/**
 * Weight of a sample that arrived after the N were weighed, in the unit of their weights. The N keep theirs, so all weights together
 * exceed the sum (or their mean 1) until the next weighing.
 *
 * A sample that equals one of the N in scores and factors gets that sample's weight, within a relative 1e-12. Under a mix or the
 * scheme `rank` this holds up to N = 1,025. Above it, ranks are interpolated between quantiles: under `rank` the weight is off
 * by less than 1/500 of the mean weight before the clip, and the mean rank of a mix by less than 1/1024.
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
