import { orderOf } from "./order.js";
import { membersAt, valuesAt } from "./positions.js";

/**
 * `top` and `bottom`: the members with the largest or smallest scores, the most extreme first. Equal scores go by index, so two
 * stores that number the samples alike answer alike. O(n log n), 24 bytes a member.
 *
 * @param members (n) indices, ascending
 * @param scores (N), finite for members
 * @param size at most n
 * @returns (size) indices
 */
export function extremes(
  members: Uint32Array,
  scores: Float64Array,
  size: number,
  end: "top" | "bottom",
): Uint32Array {
  const sign = end === "top" ? -1 : 1;
  const keys = valuesAt(scores, members).map((score) => sign * score);
  return membersAt(members, orderOf(keys).subarray(0, size));
}
