/**
 * Grams (N, K, K) that mathematics can rely on, in place. The diagonal holds squared norms, which the graph adds up from
 * products of both signs: where a gradient vanishes, rounding in float32 may leave less than nothing, and that is 0. A gram
 * that is not finite has overflowed, and throws with the row: no signal can be made of it.
 */
export function checkedGrams(grams: Float32Array, classes: number): Float32Array {
  const size = classes * classes;
  for (let at = 0; at < grams.length; at++) {
    const value = grams[at] as number;
    if (!Number.isFinite(value)) {
      throw new Error(
        `the gradient of row ${Math.floor(at / size)} is not finite: its square overflows float32`,
      );
    }
    const onDiagonal = (at % size) % (classes + 1) === 0;
    if (onDiagonal && value < 0) grams[at] = 0;
  }
  return grams;
}
