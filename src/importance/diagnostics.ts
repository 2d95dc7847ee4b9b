import { adviseOn, type Figures } from "./advice.js";
import { paretoTail } from "./pareto.js";
import { sum } from "./sum.js";
import type { WeighOptions } from "./weigh-options.js";

/** What tells whether to trust some weights. */
export interface Diagnostics extends Figures {
  /** What a colleague would say on seeing these figures; empty where all is well. */
  readonly advice: readonly string[];
}

/**
 * @param scores (N) that the weights were made from
 * @param weights (N) the weights, summing to 1
 */
export function diagnose(scores: Float64Array, weights: Float64Array, options: WeighOptions): Diagnostics {
  const count = weights.length;
  const largest = weights.reduce((a, b) => Math.max(a, b));
  const effectiveSampleSize = 1 / sum(weights.map((w) => w * w));
  const figures = {
    effectiveSampleSize,
    maxWeight: options.normalise === "mean" ? largest * count : largest,
    pareto: paretoTail(weights),
    tau: Math.sqrt(count / effectiveSampleSize),
    allZero: scores.every((s) => s === 0),
  };
  return { ...figures, advice: adviseOn(figures, weights, options) };
}
