import { adviseOn } from "./advice.js";
import type { Completer } from "./completion.js";
import { diagnose } from "./diagnostics.js";
import { sum } from "./sum.js";
import type { WeighOptions } from "./weigh-options.js";
import { normalisedWeights, type Weighting, weigh } from "./weights.js";

/** Weights from gradient norms, most of which are estimates. */
export interface EstimatedWeighting extends Weighting {
  /** One standard error of the diagnostics' effective sample size. */
  readonly effectiveSampleSizeError: number;
}

/**
 * `weigh`, with diagnostics that do not look too good because of estimates. The effective sample size, τ and Pareto k̂ are those
 * that the weights would have if every norm were exact, estimated from the exact subset. `maxWeight` is the largest weight
 * returned.
 *
 * @param norms (N) the exact norms that are known, and estimates of the others
 * @param scoresOf makes the weighting's scores (N) from norms (N)
 * @throws RangeError as `weigh` does
 */
export function weighEstimated(
  norms: Float64Array,
  completer: Completer,
  scoresOf: (norms: Float64Array) => Float64Array,
  options: WeighOptions,
): EstimatedWeighting {
  const weighting = weigh(scoresOf(norms), options);
  const completedWeights = (batch: Float64Array): Float64Array => normalisedWeights(scoresOf(batch), options);
  const size = completer.estimate((batch) => 1 / sum(completedWeights(batch).map((w) => w * w)));
  const figures = {
    ...diagnose(scoresOf(completer.example), completedWeights(completer.example), options),
    effectiveSampleSize: size.value,
    tau: Math.sqrt(norms.length / size.value),
    maxWeight: weighting.diagnostics.maxWeight,
  };
  const given = normalisedWeights(scoresOf(norms), options);
  return {
    ...weighting,
    diagnostics: { ...figures, advice: adviseOn(figures, given, options) },
    effectiveSampleSizeError: size.error,
  };
}
