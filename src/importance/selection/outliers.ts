import { orderOf } from "./order.js";
import { positionsWhere } from "./positions.js";
import { type Points, squaredDistance } from "./projection.js";
import type { Random } from "./random.js";
import { randomSubset } from "./subset.js";
import type { Steps } from "./types.js";

/** Number of reference points. A cluster of 1% of the points is missed by all of them with a chance of e^−5. */
const REFERENCES = 512;
const POINTS_STEP = 512;

/**
 * The positions of the points that are no outliers, ascending. The `count` outliers are the points farthest from the nearest of
 * 512 randomly drawn other points (Sugiyama & Borgwardt 2013, "Rapid Distance-Based Outlier Detection via Sampling", NIPS, with
 * more reference points than they use, so that a rare cluster is not taken for outliers). Equal distances: the higher position
 * is out.
 *
 * O(512 · n · D), 24 bytes a point.
 *
 * @param count less than n
 */
export function* withoutOutliers(points: Points, count: number, random: Random): Steps<Uint32Array> {
  if (count === 0) return positionsWhere(points.count, () => true);
  const references = randomSubset(points.count, Math.min(REFERENCES, points.count), random);
  const distances = new Float64Array(points.count).fill(Infinity);
  for (let position = 0; position < points.count; position += 1) {
    let nearest = Infinity;
    for (const reference of references) {
      if (reference === position) continue;
      nearest = Math.min(nearest, squaredDistance(points, position, points, reference, nearest));
    }
    distances[position] = nearest;
    if (position % POINTS_STEP === 0) yield position / points.count;
  }
  return orderOf(distances)
    .subarray(0, points.count - count)
    .sort();
}
