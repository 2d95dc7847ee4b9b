/**
 * Sum with a running compensation (Neumaier 1974). Its error is about one rounding of the result for any number of terms. A plain
 * loop over a million weights would be off by 1e-11.
 */
export function sum(values: Float64Array): number {
  let total = 0;
  let lost = 0;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index] as number;
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return total + lost;
}

/** Sum of the squares, in the same way and without an array of them. */
export function sumOfSquares(values: Float64Array): number {
  let total = 0;
  let lost = 0;
  for (let index = 0; index < values.length; index += 1) {
    const square = (values[index] as number) ** 2;
    const next = total + square;
    lost += Math.abs(total) >= square ? total - next + square : square - next + total;
    total = next;
  }
  return total + lost;
}
