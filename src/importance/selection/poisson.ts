import { clipped, fitClip } from "../clip.js";
import { type Draws, shares } from "./draws.js";
import { membersAt, positionsWhere, valuesAt } from "./positions.js";
import type { Random } from "./random.js";
import type { Steps } from "./types.js";

/**
 * `poisson`: each member is selected or not, independently, with its inclusion probability π. Without replacement. The number
 * selected is random with mean `size`. The estimate Σ x/(N π) is Horvitz & Thompson's (1952, "A Generalization of Sampling
 * Without Replacement from a Finite Universe", JASA 47). A trainer's multiplier is (E[n]/N)/π, and its divisor is E[n]. With the
 * realised n instead, the estimate is a quotient of two random numbers and biased.
 *
 * O(n log n), 48 bytes a member.
 *
 * @param members (n) indices, ascending, n ≥ 1
 * @param weights (N), at least 0 for members
 * @param size from 1 to n
 */
export function* poisson(
  members: Uint32Array,
  weights: Float64Array,
  size: number,
  random: Random,
): Steps<Draws> {
  const probabilities = shares(members, weights);
  yield 0.2;
  const inclusion = inclusionProbabilities(probabilities, size);
  yield 0.7;
  const selected = positionsWhere(members.length, (at) => random.uniform() < (inclusion[at] as number));
  return {
    indices: membersAt(members, selected),
    counts: new Uint32Array(selected.length).fill(1),
    expected: valuesAt(inclusion, selected),
    neverDrawn: inclusion.reduce((zeros, p) => zeros + (p === 0 ? 1 : 0), 0),
  };
}

/**
 * (n) π = min(1, c p), with the one c that makes the sum `size`: what is cut at 1 goes to the others in proportion, by the
 * water-filling of `fitClip` with the cap 1/size. If fewer than `size` members have p > 0, these have π = 1 and the rest is
 * shared equally.
 *
 * @param probabilities (n), sum 1
 * @param size from 1 to n
 */
function inclusionProbabilities(probabilities: Float64Array, size: number): Float64Array {
  const count = probabilities.length;
  const clip = count / size;
  const fitted = fitClip(probabilities, clip);
  return probabilities.map((p) => {
    const capped = clipped(fitted, p);
    return capped >= fitted.cap ? 1 : Math.min(1, capped * size);
  });
}
