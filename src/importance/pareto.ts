import { sum } from "./sum.js";

/** How heavy the upper tail of some weights is. */
export interface ParetoTail {
  /** Shape k̂ of the generalised Pareto fit, shrunk towards 0.5; null where none can be made. */
  readonly k: number | null;
  /** Averages under the weights are to be trusted while k̂ stays under this; null with k. */
  readonly threshold: number | null;
  /** M, the number of largest weights that the fit reads. */
  readonly tail: number;
  /** Why k is null. */
  readonly reason: string | null;
}

/** PSIS fits no tail of fewer than five; ⌊S/5⌋ reaches five at S = 25. */
const TAIL_MIN = 5;
const SAMPLES_MIN = 25;
/** A tail that rises above its cutoff by less than this, relative to the largest weight, is rounding. */
const SPREAD_MIN = 1e-12;

/**
 * Pareto k̂ of S weights, the diagnostic of Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao & Gabry,
 * "Pareto Smoothed Importance Sampling", arXiv:1507.02646, JMLR 2024): the exceedances of the M largest weights over the
 * next one are fitted, M = ⌊3√S⌋ if S > 225, else ⌊S/5⌋; k̂ ← (M k + 5)/(M + 10) draws a short tail's estimate towards
 * 0.5; it is trusted under min(1 − 1/log₁₀ S, 0.7). Averages have a finite variance for k < ½, a finite mean for k < 1.
 *
 * @param weights (S), at least 0, in any unit
 */
export function paretoTail(weights: Float64Array): ParetoTail {
  const count = weights.length;
  const tail = Math.floor(count > 225 ? 3 * Math.sqrt(count) : count / 5);
  if (tail < TAIL_MIN) {
    return absent(tail, `Pareto k̂ needs ${SAMPLES_MIN} samples or more, and there are ${count}`);
  }
  const ascending = weights.toSorted();
  const cutoff = ascending[count - tail - 1] as number;
  const exceedances = ascending.subarray(count - tail).map((w) => w - cutoff);
  const spread = exceedances[tail - 1] as number;
  if (spread <= SPREAD_MIN * (ascending[count - 1] as number)) {
    return absent(tail, `the ${tail + 1} largest weights are equal, so there is no tail to fit`);
  }
  const shape = generalisedParetoShape(exceedances.map((x) => x / spread));
  if (shape === null) {
    return absent(tail, `too many of the ${tail} largest weights are equal to fit a tail`);
  }
  const k = (tail * shape + 5) / (tail + 10);
  return { k, threshold: Math.min(1 - 1 / Math.log10(count), 0.7), tail, reason: null };
}

function absent(tail: number, reason: string): ParetoTail {
  return { k: null, threshold: null, tail, reason };
}

/**
 * Shape k of a generalised Pareto distribution by the quasi-Bayesian estimate of Zhang & Stephens 2009, "A New and
 * Efficient Estimation Method for the Generalized Pareto Distribution", Technometrics 51(3), with k of the sign that
 * Vehtari et al. use (heavier tails have larger k): θ is averaged over a grid of 30 + ⌊√n⌋ points by its profile
 * likelihood n(ln(−θ/k(θ)) − k(θ) − 1), k(θ) = mean ln(1 − θx), then k̂ = k(θ̂).
 *
 * @param ascending (n) exceedances in ascending order, scaled so that the largest is 1
 * @returns null where the lower quartile is 0, or so near it that the grid leaves the doubles
 */
function generalisedParetoShape(ascending: Float64Array): number | null {
  const count = ascending.length;
  const quartile = ascending[Math.floor(count / 4 + 0.5) - 1] as number;
  const grid = 30 + Math.floor(Math.sqrt(count));
  const theta = new Float64Array(grid).map((_, j) => 1 + (1 - Math.sqrt(grid / (j + 0.5))) / (3 * quartile));
  const shapeAt = (t: number) => sum(ascending.map((x) => Math.log1p(-t * x))) / count;
  const likelihood = theta.map((t) => {
    const shape = shapeAt(t);
    // At θ = 0 the tail is exponential, and −θ/k(θ) tends to 1 / mean x.
    return t === 0
      ? count * (Math.log(count / sum(ascending)) - 1)
      : count * (Math.log(-t / shape) - shape - 1);
  });
  const best = likelihood.reduce((a, b) => Math.max(a, b));
  const posterior = likelihood.map((l) => Math.exp(l - best));
  const shape = shapeAt(sum(theta.map((t, j) => t * (posterior[j] as number))) / sum(posterior));
  return Number.isFinite(shape) ? shape : null;
}
