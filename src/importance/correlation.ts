import { ranksOf } from "./ranks.js";
import { sum } from "./sum.js";

/**
 * Pearson's correlation, in [−1, 1]: how close one column is to a linear function of the other. Null if a column does not vary.
 *
 * @param a (N) finite
 * @param b (N) finite
 */
export function pearson(a: Float64Array, b: Float64Array): number | null {
  const [u, v] = [deviationsOf(a), deviationsOf(b)];
  if (u === null || v === null) return null;
  const covariance = sum(u.map((x, i) => x * (v[i] as number)));
  const variances = sum(u.map((x) => x * x)) * sum(v.map((y) => y * y));
  return Math.min(1, Math.max(-1, covariance / Math.sqrt(variances)));
}

/** Spearman's correlation: Pearson's of the ranks, with equal values sharing their mean rank. It compares the two orders. */
export function spearman(a: Float64Array, b: Float64Array): number | null {
  return pearson(ranksOf(a), ranksOf(b));
}

/**
 * (N) Deviations from the mean, divided by the largest of them, so that their squares neither underflow nor overflow; null if
 * all are 0.
 */
function deviationsOf(values: Float64Array): Float64Array | null {
  const peak = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  if (peak === 0) return null;
  const relative = values.map((x) => x / peak);
  const centre = sum(relative) / values.length;
  const deviations = relative.map((x) => x - centre);
  const widest = deviations.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  return widest <= 1e-15 * values.length ? null : deviations.map((x) => x / widest);
}
