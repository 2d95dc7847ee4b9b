import { sum } from "../sum.js";

/** An estimate of a mean over a population, from N weighted samples. */
export interface EstimatedMean {
  readonly mean: number;
  /** One standard error. */
  readonly standardError: number;
}

/**
 * Horvitz–Thompson estimate of a population's mean, Σ x/(Mπ), from a sample in which each member of a population of M was
 * included by itself with probability π (Poisson sampling). Unbiased. Its variance is estimated by Σ (1 − π) x²/(Mπ)²
 * (Horvitz & Thompson 1952, doi:10.1080/01621459.1952.10483446).
 *
 * @param values (N) x
 * @param probabilities (N) π in (0, 1]
 * @param population M ≥ N
 */
export function horvitzThompson(
  values: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  population: number,
): EstimatedMean {
  const terms = mapped(values, (x, i) => x / (population * at(probabilities, i)));
  const variances = mapped(terms, (term, i) => (1 - at(probabilities, i)) * term * term);
  return { mean: sum(terms), standardError: Math.sqrt(sum(variances)) };
}

/**
 * Hájek's estimate Σ wx/Σw with w = 1/π, for a population of unknown size. Its bias falls as 1/N. The variance is that of the
 * linearised estimate under Poisson sampling, Σ (1 − π) w²(x − mean)²/(Σw)² (Särndal, Swensson & Wretman 1992, 5.7).
 */
export function hajek(values: ArrayLike<number>, probabilities: ArrayLike<number>): EstimatedMean {
  const weights = shares(mapped(probabilities, (probability) => 1 / probability));
  const mean = weightedMean(values, weights);
  const variances = mapped(weights, (w, i) => (1 - at(probabilities, i)) * (w * (at(values, i) - mean)) ** 2);
  return { mean, standardError: Math.sqrt(sum(variances)) };
}

/**
 * Self-normalised importance sampling: Σ wx/Σw, with w ∝ p/q for samples drawn from q. Its bias falls as 1/N. The variance is that
 * of the delta method, Σ w²(x − mean)²/(Σw)² (Owen 2013, Monte Carlo theory, methods and examples, 9.2).
 *
 * @param weights (N), at least 0 and not all 0, in any unit
 */
export function selfNormalised(values: ArrayLike<number>, weights: Float64Array): EstimatedMean {
  const normalised = shares(weights);
  const mean = weightedMean(values, normalised);
  const variances = mapped(normalised, (w, i) => (w * (at(values, i) - mean)) ** 2);
  return { mean, standardError: Math.sqrt(sum(variances)) };
}

/**
 * Importance sampling with the densities themselves: mean of wx, w = p/q. Unbiased. The variance is that of a mean of N
 * independent terms.
 *
 * @param weights (N) p/q
 */
export function importanceMean(values: ArrayLike<number>, weights: Float64Array): EstimatedMean {
  const count = weights.length;
  const terms = mapped(weights, (w, i) => w * at(values, i));
  const mean = sum(terms) / count;
  const squares = sum(mapped(terms, (term) => (term - mean) ** 2));
  return { mean, standardError: Math.sqrt(squares / Math.max(1, count - 1) / count) };
}

/** (N) p/q, scaled so that the largest is 1, from logarithms that may lack a constant. */
export function relativeWeights(logP: ArrayLike<number>, logQ: ArrayLike<number>): Float64Array {
  const logs = mapped(logP, (p, i) => p - at(logQ, i));
  const largest = logs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return logs.map((log) => Math.exp(log - largest));
}

/** (N) The weights, scaled to sum to 1. */
export function shares(weights: Float64Array): Float64Array {
  const total = sum(weights);
  return weights.map((w) => w / total);
}

function weightedMean(values: ArrayLike<number>, weights: Float64Array): number {
  return sum(mapped(weights, (w, i) => w * at(values, i)));
}

function mapped(values: ArrayLike<number>, to: (value: number, index: number) => number): Float64Array {
  const made = new Float64Array(values.length);
  for (let i = 0; i < made.length; i++) made[i] = to(at(values, i), i);
  return made;
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}
