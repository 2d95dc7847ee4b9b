import { adviseOn } from "./advice.js";
import { type ParetoTail, paretoTail } from "./pareto.js";
import { sum } from "./sum.js";
import type { WeighOptions } from "./weigh-options.js";

/** What tells whether to trust some weights. */
export interface Diagnostics {
  /** 1/Σw² of the weights that sum to 1: N for equal ones, 1 where one sample has it all. */
  readonly effectiveSampleSize: number;
  /** Largest weight, in the unit of the answer: a share of 1, or a multiple of the mean. */
  readonly maxWeight: number;
  readonly pareto: ParetoTail;
  /** τ = √(N Σp²) ≥ 1, the gain in variance of drawing by the weights (Katharopoulos & Fleuret 2018, arXiv:1803.00942). */
  readonly tau: number;
  /** Every score is 0, so every weight is equal, whatever the scheme. */
  readonly allZero: boolean;
  /** What a colleague would say on seeing these figures; empty where all is well. */
  readonly advice: readonly string[];
}

/**
 * @param scores (N) that the weights were made from
 * @param shares (N) the weights, summing to 1
 */
export function diagnose(scores: Float64Array, shares: Float64Array, options: WeighOptions): Diagnostics {
  const count = shares.length;
  const largest = shares.reduce((a, b) => Math.max(a, b));
  const effectiveSampleSize = 1 / sum(shares.map((w) => w * w));
  const figures = {
    effectiveSampleSize,
    maxWeight: options.normalise === "mean" ? largest * count : largest,
    pareto: paretoTail(shares),
    tau: Math.sqrt(count / effectiveSampleSize),
    allZero: scores.every((s) => s === 0),
  };
  return { ...figures, advice: adviseOn(figures, shares, options) };
}
