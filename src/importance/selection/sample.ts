import { type Draws, shares } from "./draws.js";
import { membersAt, positionsWhere, valuesAt } from "./positions.js";
import type { Random } from "./random.js";

/**
 * `sample`: `size` independent draws with replacement, each with the draw probabilities p ∝ weights (Hansen & Hurwitz 1943, "On
 * the Theory of Sampling from Finite Populations"; for training, Katharopoulos & Fleuret 2018, arXiv:1803.00942). The expected
 * count of a member is size · p. Without strata its multiplier is therefore 1/(N p).
 *
 * A sample that was drawn c times counts c times. A trainer either uses it c times, each time with its multiplier, or once with
 * c · multiplier; in both cases it divides the sum by `size`, not by the number of distinct samples. So a mean over batches of
 * the repeated list is right, and a mean over the distinct samples is not.
 *
 * The uniform numbers are sorted and merged with the cumulated weights: O(n + size log size), 24 bytes a member and 8 a draw.
 *
 * @param members (n) indices, ascending, n ≥ 1
 * @param weights (N), at least 0 for members; if all are 0, they count as equal
 * @param size at least 1, may exceed n
 */
export function sample(members: Uint32Array, weights: Float64Array, size: number, random: Random): Draws {
  const probabilities = shares(members, weights);
  const drawn = new Uint32Array(members.length);
  const uniforms = new Float64Array(size).map(() => random.uniform()).sort();
  // The last reachable member takes what rounding leaves over.
  const last = probabilities.findLastIndex((p) => p > 0);
  let position = 0;
  let reached = probabilities[0] as number;
  for (let draw = 0; draw < size; draw += 1) {
    const uniform = uniforms[draw] as number;
    while (position < last && reached <= uniform) {
      position += 1;
      reached += probabilities[position] as number;
    }
    drawn[position] = (drawn[position] as number) + 1;
  }
  const positions = positionsWhere(drawn.length, (at) => (drawn[at] as number) > 0);
  const neverDrawn = probabilities.reduce((zeros, p) => zeros + (p === 0 ? 1 : 0), 0);
  return {
    indices: membersAt(members, positions),
    counts: positions.map((at) => drawn[at] as number),
    expected: valuesAt(probabilities, positions).map((p) => size * p),
    neverDrawn,
  };
}
