import { sum } from "../sum.js";
import { valuesAt } from "./positions.js";

/** What a random method took from one stratum. */
export interface Draws {
  /** (n) Each index once, ascending. */
  readonly indices: Uint32Array;
  /** (n) How often each was drawn. */
  readonly counts: Uint32Array;
  /** (n) E[count], above 0. */
  readonly expected: Float64Array;
  /** Number of members whose expected count is 0. */
  readonly neverDrawn: number;
}

/**
 * (n) The members' weights, divided by their sum. If all are 0, they are equal, as in `weigh`.
 *
 * @param weights (N), at least 0 and finite for members
 */
export function shares(members: Uint32Array, weights: Float64Array): Float64Array {
  const own = valuesAt(weights, members);
  const peak = own.reduce((a, b) => Math.max(a, b));
  if (peak === 0) return own.fill(1 / own.length);
  // Relative to the largest, so that no sum overflows and no quotient is subnormal.
  const relative = own.map((weight) => weight / peak);
  const total = sum(relative);
  return relative.map((weight) => weight / total);
}
