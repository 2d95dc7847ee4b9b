import { largest } from "./columns.js";
import type { ParetoTail } from "./pareto.js";
import type { WeighOptions } from "./weigh-options.js";

/** Figures that describe a set of weights. */
export interface Figures {
  /** 1/Σw², with weights that sum to 1: N if all are equal, 1 if one sample has all the weight. */
  readonly effectiveSampleSize: number;
  /** Largest weight, in the unit of the answer: a fraction of 1, or a multiple of the mean. */
  readonly maxWeight: number;
  /** Of the weights before the clip, because a clip hides the tail. */
  readonly pareto: ParetoTail;
  /** Whether the clip lowered the largest weight. */
  readonly clipped: boolean;
  /** τ = √(N Σp²) ≥ 1: how much drawing by the weights reduces variance (Katharopoulos & Fleuret 2018, arXiv:1803.00942). */
  readonly tau: number;
  /** Every score is 0. Then all raw weights are equal under every scheme. */
  readonly allZero: boolean;
  /** Every product of raw weight and base is 0. Then neither of them counts. */
  readonly zeroProducts: boolean;
}

/** The advice mentions an effective sample size below this fraction of N. */
const EFFECTIVE_FRACTION_MIN = 0.1;
/** The advice mentions a sample that carries more than this fraction of the weight. */
const ONE_SAMPLE_FRACTION_MAX = 0.5;

/**
 * Short sentences of advice on a set of weights, the most important first; empty if there is nothing to say.
 *
 * @param weights (N) the weights, which sum to 1
 */
export function adviseOn(figures: Figures, weights: Float64Array, options: WeighOptions): string[] {
  const all = [
    onZeros(figures, options),
    onTail(figures),
    onEffectiveSampleSize(figures, weights),
    onLargest(weights),
    ...(options.role === "probability" ? [onNeverDrawn(weights), onDrawing(figures)] : []),
  ];
  return all.filter((sentence) => sentence !== null);
}

function onZeros({ allZero, zeroProducts }: Figures, { scheme, base, balance }: WeighOptions): string | null {
  if (zeroProducts)
    return `The base ${base} is 0 for every sample that the scheme gives a weight, so scheme and base are left out. Check the base.`;
  if (!allZero || scheme === "uniform") return null;
  return base === null && !balance
    ? "All scores are 0, so every weight is equal."
    : "All scores are 0, so the scheme weighs every sample alike.";
}

function onTail({ pareto: { k, threshold }, clipped }: Figures): string | null {
  if (k === null || threshold === null || k <= threshold) return null;
  const [found, limit] = [k.toFixed(2), threshold.toFixed(2)];
  return clipped
    ? `Pareto k̂ of the weights before the clip is ${found}, above ${limit}: the tail is so heavy that the clip decides how ` +
        "much the largest scores count. Check the labels of these samples."
    : `Pareto k̂ is ${found}, above ${limit}: a few samples decide every average under these weights. Raise smoothing or ` +
        "set a lower clip.";
}

function onEffectiveSampleSize({ effectiveSampleSize }: Figures, weights: Float64Array): string | null {
  if (effectiveSampleSize >= EFFECTIVE_FRACTION_MIN * weights.length) return null;
  const size = effectiveSampleSize.toPrecision(2);
  return `The ${weights.length} weighted samples are worth only ${size} equally weighted ones. Raise smoothing or set a lower clip.`;
}

function onLargest(weights: Float64Array): string | null {
  const peak = largest(weights);
  // With one or two samples, one always carries at least half.
  if (weights.length <= 2 || peak <= ONE_SAMPLE_FRACTION_MAX) return null;
  return `One sample carries ${percent(peak)} of the weight. Check its label and its text.`;
}

function onNeverDrawn(weights: Float64Array): string | null {
  let zeros = 0;
  for (let index = 0; index < weights.length; index += 1) if (weights[index] === 0) zeros += 1;
  if (zeros === 0) return null;
  const who = zeros === 1 ? "One sample has" : `${zeros} samples have`;
  const they = zeros === 1 ? "It is" : "They are";
  return `${who} draw probability 0 and no multiplier. ${they} never drawn, even if the loss is high. Set smoothing above 0.`;
}

/**
 * Drawing pays if τ > (cB + 3b)/(3b) for B scored and b trained samples (Katharopoulos & Fleuret 2018, arXiv:1803.00942), where
 * c is the cost of scoring one sample in forward passes. This is b/B > c/(3(τ − 1)). The sentence is for c = 1.
 */
function onDrawing({ tau }: Figures): string {
  const trainedFraction = 1 / (3 * (tau - 1));
  if (!(trainedFraction < 1)) {
    return `τ is ${tau.toFixed(2)}: drawing does not repay scoring each sample with one forward pass. That needs a τ above 1.33.`;
  }
  return (
    `τ is ${tau.toFixed(2)}: drawing pays if you train on more than ${percent(trainedFraction)} of the samples you ` +
    "score, when scoring a sample costs one forward pass."
  );
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(0)}%`;
}
