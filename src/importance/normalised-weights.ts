import { clipped, fitClip } from "./clip.js";
import { multiplyFactors, type SampleFactors } from "./factors.js";
import { type Normaliser, shareOf } from "./normaliser.js";
import { rawWeights } from "./schemes.js";
import { sum } from "./sum.js";
import type { WeighOptions } from "./weigh-options.js";

export interface NormalisedWeights {
  /** (N) after the clip. They sum to 1. */
  readonly weights: Float64Array;
  /** (N) before the clip; the same array without a clip. They sum to 1. */
  readonly unclipped: Float64Array;
  /** See `MultipliedWeights`. */
  readonly zeroProducts: boolean;
  readonly normaliser: Normaliser;
}

/**
 * Weights that sum to 1, from scores and factors that `weigh` takes. Every step after the first division keeps the sum, up to a
 * few roundings, so it is divided by only once.
 */
export function normalisedWeights(
  scores: Float64Array,
  options: WeighOptions,
  factors: SampleFactors,
): NormalisedWeights {
  const count = scores.length;
  const { smoothing, clip, normalise } = options;
  const { raw: unclipped, fitted } = rawWeights(scores, options.scheme, options);
  const multiplied = multiplyFactors(unclipped, factors);
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
