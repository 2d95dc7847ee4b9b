/**
 * Sum with a running compensation (Neumaier 1974): the error stays near one rounding of the result however many terms
 * there are, where a plain loop over a million weights drifts by 1e-11.
 */
export function sum(values: Float64Array): number {
  let total = 0;
  let lost = 0;
  for (const value of values) {
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return total + lost;
}
