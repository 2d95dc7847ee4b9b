import { extremes } from "./extremes.js";
import { facilityLocation } from "./facility-location.js";
import type { GeometricPool } from "./geometric-pool.js";
import type { Random } from "./random.js";
import type { Steps } from "./types.js";

/** `active` with diversity chooses among so many times the samples that it selects. */
const POOL_FACTOR = 10;

/**
 * `active` with diversity: the 10 · size members with the largest scores, and among those the most diverse by `facilityLocation`
 * (filtered active submodular selection; Wei, Iyer & Bilmes 2015, "Submodularity in Data Subset Selection and Active
 * Learning", ICML). `strength` multiplies by the score among those too.
 *
 * @param scores (N), finite for members; at least 0 if `strength` is above 0
 * @param size at most the number of members
 */
export function* diverseTop(
  pool: GeometricPool,
  scores: Float64Array,
  size: number,
  random: Random,
): Steps<Uint32Array> {
  const kept = Math.min(pool.members.length, POOL_FACTOR * size);
  const members = extremes(pool.members, scores, kept, "top").sort();
  return yield* facilityLocation({ ...pool, members }, size, random);
}
