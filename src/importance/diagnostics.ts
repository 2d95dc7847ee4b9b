import { adviseOn, type Figures } from "./advice.js";
import { largest } from "./columns.js";
import { paretoTail } from "./pareto.js";
import { sumOfSquares } from "./sum.js";
import type { WeighOptions } from "./weigh-options.js";

/** Figures and advice that help a reader decide whether to trust a set of weights. */
export interface Diagnostics extends Figures {
  /** Sentences on figures that need attention; empty if there are none. */
  readonly advice: readonly string[];
}

/** A clip lowered the largest weight if it is smaller by more than this fraction. Less is rounding. */
const CLIPPED_MIN = 1e-12;

/** Weights that sum to 1, and what their steps say of them. */
export interface DiagnosedWeights {
  /** (N) after the clip. */
  readonly weights: Float64Array;
  /** (N) before the clip; the same array without a clip. */
  readonly unclipped: Float64Array;
  /** See `MultipliedWeights`. */
  readonly zeroProducts: boolean;
}

/** @param scores (N) the scores from which the weights were made */
export function diagnose(
  scores: Float64Array,
  { weights, unclipped, zeroProducts }: DiagnosedWeights,
  options: WeighOptions,
): Diagnostics {
  const count = weights.length;
  const peak = largest(weights);
  const effectiveSampleSize = effectiveSize(weights);
  const figures = {
    effectiveSampleSize,
    maxWeight: options.normalise === "mean" ? peak * count : peak,
    pareto: paretoTail(unclipped),
    clipped: peak < largest(unclipped) * (1 - CLIPPED_MIN),
    tau: Math.sqrt(count / effectiveSampleSize),
    allZero: scores.every((s) => s === 0),
    zeroProducts,
  };
  return { ...figures, advice: adviseOn(figures, weights, options) };
}

/** 1/Σw² of weights (N) that sum to 1. */
export function effectiveSize(weights: Float64Array): number {
  return 1 / sumOfSquares(weights);
}
