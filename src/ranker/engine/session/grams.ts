/**
 * Checks grams (N, K, K) and corrects them in place. The diagonal holds squared norms, which the graph sums from products of both
 * signs. If a gradient is zero, rounding in float32 may give a negative sum, which becomes 0. A gram that is not finite has
 * overflowed, and no signal can be computed from it: throws with the row.
 */
export function checkedGrams(grams: Float32Array, classes: number): Float32Array {
  const size = classes * classes;
  for (let at = 0; at < grams.length; at++) {
    const value = grams[at] as number;
    if (!Number.isFinite(value)) {
      throw new Error(
        `the gradient of row ${Math.floor(at / size)} is too large: its square overflows float32`,
      );
    }
    const onDiagonal = (at % size) % (classes + 1) === 0;
    if (onDiagonal && value < 0) grams[at] = 0;
  }
  return grams;
}
