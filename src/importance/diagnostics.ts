import { adviseOn, type Figures } from "./advice.js";
import { paretoTail } from "./pareto.js";
import { sum } from "./sum.js";
import type { WeighOptions } from "./weigh-options.js";

/** Figures and advice that help a reader decide whether to trust a set of weights. */
export interface Diagnostics extends Figures {
  /** Sentences on figures that need attention; empty if there are none. */
  readonly advice: readonly string[];
}

/**
 * @param scores (N) the scores from which the weights were made
 * @param weights (N) the weights, which sum to 1
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
