import { largestOf } from "./largest-of.js";
import { sum } from "./sum.js";

/** How heavy the upper tail of a set of weights is. */
export interface ParetoTail {
  /** Shape k̂ of the generalised Pareto fit, shrunk towards 0.5; null if no fit is possible. */
  readonly k: number | null;
  /** Averages under the weights are reliable while k̂ is below this; null if k is null. */
  readonly threshold: number | null;
  /** Number of largest weights in the fit: at most M, without those equal to the cutoff. */
  readonly tail: number;
  /** Why k is null. */
  readonly reason: string | null;
}

/** PSIS fits no tail of fewer than five weights; ⌊S/5⌋ reaches five at S = 25. */
const TAIL_MIN = 5;
const SAMPLES_MIN = 25;
/** If two weights differ by less than this, relative to the largest weight, the difference is rounding. */
const RISE_MIN = 1e-12;

/**
 * Pareto k̂ of S weights, the diagnostic of Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao & Gabry,
 * "Pareto Smoothed Importance Sampling", arXiv:1507.02646, JMLR 2024). The cutoff is the largest weight below the M largest ones,
 * with M = ⌊3√S⌋ if S > 225, else ⌊S/5⌋. The fit is to the amounts by which the M largest weights exceed the cutoff.
 * k̂ ← (M k + 5)/(M + 10) moves the estimate of a short tail towards 0.5. Averages are reliable if k̂ is below
 * min(1 − 1/log₁₀ S, 0.7). The tail's variance is finite for k < ½, its mean for k < 1. Weights equal to the cutoff do not count
 * among the M, as in ArviZ. If those that count are all equal, no distribution fits them (Vehtari et al. leave k̂ undefined).
 *
 * @param weights (S), at least 0, in any unit
 */
export function paretoTail(weights: Float64Array): ParetoTail {
  const count = weights.length;
  if (count < SAMPLES_MIN) {
    return absent(0, `Pareto k̂ needs at least ${SAMPLES_MIN} samples, but there are ${count}`);
  }
  const longest = Math.floor(count > 225 ? 3 * Math.sqrt(count) : count / 5);
  const ascending = largestOf(weights, longest + 1);
  const cutoff = ascending[0] as number;
  const riseMin = RISE_MIN * (ascending[longest] as number);
  const exceedances = ascending
    .subarray(1)
    .map((w) => w - cutoff)
    .filter((x) => x > riseMin);
  const tail = exceedances.length;
  const spread = tail === 0 ? 0 : (exceedances[tail - 1] as number) - (exceedances[0] as number);
  if (tail === 0 || (tail >= TAIL_MIN && spread <= riseMin)) {
    return absent(tail, `the ${tail || longest} largest weights are all equal, so they have no tail to fit`);
  }
  if (tail < TAIL_MIN) {
    return absent(
      tail,
      `only ${tail} of the ${longest} largest weights exceed the next weight, which is too few to fit a tail`,
    );
  }
  const k = (tail * generalisedParetoShape(exceedances) + 5) / (tail + 10);
  return { k, threshold: Math.min(1 - 1 / Math.log10(count), 0.7), tail, reason: null };
}

function absent(tail: number, reason: string): ParetoTail {
  return { k: null, threshold: null, tail, reason };
}

/**
 * Shape k of a generalised Pareto distribution by the quasi-Bayesian estimate of Zhang & Stephens 2009, "A New and
 * Efficient Estimation Method for the Generalized Pareto Distribution", Technometrics 51(3). The sign of k is as in Vehtari
 * et al.: heavier tails have larger k. θ is averaged over a grid of 30 + ⌊√n⌋ points, weighted by its profile likelihood
 * n(ln(−θ/k(θ)) − k(θ) − 1), with k(θ) = mean ln(1 − θx). Then k̂ = k(θ̂).
 *
 * @param ascending (n) exceedances in ascending order, above 0
 */
function generalisedParetoShape(ascending: Float64Array): number {
  const count = ascending.length;
  const largest = ascending[count - 1] as number;
  const scaled = ascending.map((x) => x / largest); // k does not depend on the unit
  const quartile = scaled[Math.floor(count / 4 + 0.5) - 1] as number;
  const mean = sum(scaled) / count;
  const shapeAt = (t: number) => meanLog(scaled, t);
  // At θ = 0 the tail is exponential: −θ/k(θ) tends to 1 / mean x, and k(θ) to 0.
  const profile = (t: number, shape: number) =>
    t === 0 ? -count * (Math.log(mean) + 1) : count * (Math.log(-t / shape) - shape - 1);
  const grid = 30 + Math.floor(Math.sqrt(count));
  const theta = new Float64Array(grid).map((_, j) => 1 + (1 - Math.sqrt(grid / (j + 0.5))) / (3 * quartile));
  const likelihood = theta.map((t) => profile(t, shapeAt(t)));
  const best = likelihood.reduce((a, b) => Math.max(a, b));
  const posterior = likelihood.map((l) => Math.exp(l - best));
  return shapeAt(sum(theta.map((t, j) => t * (posterior[j] as number))) / sum(posterior));
}

/** Factors of one product: with |t| ≤ 1e13, which `RISE_MIN` sees to, it stays far within float64. */
const FACTORS = 16;
/** Below it a factor 1 − tx rounds away digits of tx that `Math.log1p` keeps. */
const T_OF_PRODUCTS = 1e-3;

/**
 * Mean of ln(1 − tx) over (n) x in (0, 1]. Logarithms are most of what weights cost a cached batch: one of a product takes the place
 * of 16.
 */
function meanLog(scaled: Float64Array, t: number): number {
  const count = scaled.length;
  const step = Math.abs(t) < T_OF_PRODUCTS ? 1 : FACTORS;
  const logs = new Float64Array(Math.ceil(count / step));
  for (let l = 0; l < logs.length; l += 1) {
    const from = l * step;
    if (step === 1) {
      logs[l] = Math.log1p(-t * (scaled[from] as number));
      continue;
    }
    const to = Math.min(count, from + step);
    let product = 1;
    for (let j = from; j < to; j += 1) product *= 1 - t * (scaled[j] as number);
    logs[l] = Math.log(product);
  }
  return sum(logs) / count;
}
