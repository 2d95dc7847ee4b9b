import type { Random } from "./random.js";

/**
 * (k) k of n positions, ascending, each set with the same chance: selection sampling, which takes each position with the chance
 * (still needed)/(still left) (Knuth, "The Art of Computer Programming", volume 2, 3.4.2, algorithm S).
 *
 * @param count n
 * @param size k ≤ n
 */
export function randomSubset(count: number, size: number, random: Random): Uint32Array {
  const chosen = new Uint32Array(size);
  let taken = 0;
  for (let position = 0; taken < size; position += 1) {
    if (random.below(count - position) < size - taken) chosen[taken++] = position;
  }
  return chosen;
}
