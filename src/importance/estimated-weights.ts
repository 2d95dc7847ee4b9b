import { adviseOn } from "./advice.js";
import type { Completer } from "./completion.js";
import { diagnose, effectiveSize } from "./diagnostics.js";
import type { SampleFactors } from "./factors.js";
import type { WeighOptions } from "./weigh-options.js";
import { normalisedWeights, type Weighting, weigh } from "./weights.js";

/** Weights from gradient norms, most of which are estimates. */
export interface EstimatedWeighting extends Weighting {
  /** One standard error of the diagnostics' effective sample size. */
  readonly effectiveSampleSizeError: number;
}

/** How weights are made from gradient norms (N). */
export interface NormWeighting {
  /** The weighting's scores (N): the norms, or mean ranks of norms and other signals. */
  readonly scoresOf: (norms: Float64Array) => Float64Array;
  readonly options: WeighOptions;
  readonly factors: SampleFactors;
}

/**
 * `weigh`, with diagnostics that do not look too good because of estimates. The effective sample size, τ and Pareto k̂ are those
 * that the weights would have if every norm were exact, estimated from the exact subset. `maxWeight` is the largest weight
 * returned.
 *
 * @param norms (N) the exact norms that are known, and estimates of the others
 * @param completer of these norms
 * @param weighting makes weights from norms (N)
 * @throws RangeError as `weigh` does
 */
export function weighEstimated(
  norms: Float64Array,
  completer: Completer,
  { scoresOf, options, factors }: NormWeighting,
): EstimatedWeighting {
  const weighting = weigh(scoresOf(norms), options, factors);
  const size = completer.estimate((batch) =>
    effectiveSize(normalisedWeights(scoresOf(batch), options, factors).weights),
  );
  const completed = scoresOf(completer.example);
  const figures = {
    ...diagnose(completed, normalisedWeights(completed, options, factors), options),
    effectiveSampleSize: size.value,
    tau: Math.sqrt(norms.length / size.value),
    maxWeight: weighting.diagnostics.maxWeight,
  };
  const given = normalisedWeights(scoresOf(norms), options, factors).weights;
  return {
    ...weighting,
    diagnostics: { ...figures, advice: adviseOn(figures, given, options) },
    effectiveSampleSizeError: size.error,
  };
}
