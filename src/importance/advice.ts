import type { ParetoTail } from "./pareto.js";
import type { WeighOptions } from "./weigh-options.js";

/** What is measured of some weights. */
export interface Figures {
  /** 1/Σw² of the weights that sum to 1: N for equal ones, 1 where one sample has it all. */
  readonly effectiveSampleSize: number;
  /** Largest weight, in the unit of the answer: a part of 1, or a multiple of the mean. */
  readonly maxWeight: number;
  readonly pareto: ParetoTail;
  /** τ = √(N Σp²) ≥ 1, the gain in variance of drawing by the weights (Katharopoulos & Fleuret 2018, arXiv:1803.00942). */
  readonly tau: number;
  /** Every score is 0, so every weight is equal, whatever the scheme. */
  readonly allZero: boolean;
}

/** Under this fraction of N an effective sample size is worth a word. */
const EFFECTIVE_FRACTION_MIN = 0.1;
/** A sample that carries more of the weight than this is worth a look. */
const ONE_SAMPLE_FRACTION_MAX = 0.5;

/**
 * Short sentences on some weights, the gravest first; none where there is nothing to say.
 *
 * @param weights (N) the weights, summing to 1
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

function onZeros({ allZero }: Figures, { scheme }: WeighOptions): string | null {
  return allZero && scheme !== "uniform" ? "All scores are 0, so every weight is equal." : null;
}

function onTail({ pareto: { k, threshold } }: Figures): string | null {
  if (k === null || threshold === null || k <= threshold) return null;
  return (
    `Pareto k̂ is ${k.toFixed(2)}, above ${threshold.toFixed(2)}: a few samples decide every average under ` +
    "these weights. Raise smoothing or set a lower clip."
  );
}

function onEffectiveSampleSize({ effectiveSampleSize }: Figures, weights: Float64Array): string | null {
  if (effectiveSampleSize >= EFFECTIVE_FRACTION_MIN * weights.length) return null;
  const size = effectiveSampleSize.toPrecision(2);
  return `The ${weights.length} weighted samples are worth ${size} equal ones. Raise smoothing or set a lower clip.`;
}

function onLargest(weights: Float64Array): string | null {
  const largest = weights.reduce((a, b) => Math.max(a, b));
  // Of one or two samples, one always carries half.
  if (weights.length <= 2 || largest <= ONE_SAMPLE_FRACTION_MAX) return null;
  return `One sample carries ${percent(largest)} of the weight. Check its label and its text.`;
}

function onNeverDrawn(weights: Float64Array): string | null {
  const zeros = weights.reduce((count, p) => count + (p === 0 ? 1 : 0), 0);
  if (zeros === 0) return null;
  const who = zeros === 1 ? "One sample has" : `${zeros} samples have`;
  return `${who} draw probability 0 and no multiplier: never drawn, whatever the loss. Set smoothing above 0.`;
}

/**
 * Drawing pays when τ > (cB + 3b)/(3b) for B scored and b trained (Katharopoulos & Fleuret 2018, arXiv:1803.00942), with c the
 * cost of scoring in forwards: when b/B > c/(3(τ − 1)). Said for c = 1.
 */
function onDrawing({ tau }: Figures): string {
  const trainedFraction = 1 / (3 * (tau - 1));
  if (!(trainedFraction < 1)) {
    return `τ is ${tau.toFixed(2)}: drawing does not repay one forward a sample to score them, which takes τ above 1.33.`;
  }
  return (
    `τ is ${tau.toFixed(2)}: drawing pays if you train on more than ${percent(trainedFraction)} of the samples you ` +
    "score, at one forward to score each."
  );
}

function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(0)}%`;
}
