import { type GeometricPool, worthsOf } from "./geometric-pool.js";
import { heapOf, secondOf, sink } from "./heap.js";
import { withoutOutliers } from "./outliers.js";
import { membersAt } from "./positions.js";
import {
  copyRow,
  gathered,
  meanOf,
  type Points,
  projected,
  rowOf,
  rowsOf,
  squaredDistance,
} from "./projection.js";
import type { Random } from "./random.js";
import { type Steps, within } from "./types.js";

/** Up to so many products size · n · D the distances are exact. It takes some seconds. */
const PRODUCTS_MAX = 2 ** 32;
/** The same for the coordinates n · D, because their copies take 8 bytes each. */
const COORDINATES_MAX = 2 ** 27;
/** Distances between two pauses. */
const DISTANCES_STEP = 500_000;

/** What `k_center` chose, and how many members it left out. */
export interface Centers {
  /** (size) Indices in the order of choice, so that the first k are the selection of size k. */
  readonly indices: Uint32Array;
  readonly outliers: number;
}

/**
 * `k_center`: farthest first. Each choice is the member farthest from its nearest chosen member, which covers all members within
 * at most twice the smallest radius possible (Gonzalez 1985, "Clustering to Minimize the Maximum Intercluster Distance"; as a
 * core-set, Sener & Savarese 2018, "Active Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR). With worths
 * w the choice is the largest w · distance. The first is the largest worth, and among those the nearest to the mean. Ties go by
 * index.
 *
 * The farthest members are often noise. So the outliers leave first (`withoutOutliers`): a share of the members, but no more
 * than the size allows.
 *
 * Up to size · n · D = 2^32 and n · D = 2^27 the distances are Euclidean. Beyond, they are taken in a random projection to 32 dimensions
 * (`projected`). O(size · n · D) at worst, about a third of it with lazy evaluation. Memory beyond the embeddings: twice 4 bytes
 * a member and dimension, or twice 128; and 60 bytes.
 *
 * @param size from 1 to n
 * @param outliers share of the members to leave out, below 1
 */
export function* kCenter(
  pool: GeometricPool,
  size: number,
  outliers: number,
  random: Random,
): Steps<Centers> {
  const { members, embeddings } = pool;
  const worths = worthsOf(pool);
  const mean = meanOf(members, embeddings);
  const leaving = Math.min(Math.floor(outliers * members.length), members.length - size);
  const coordinates = members.length * embeddings.width;
  const isSmall = coordinates <= COORDINATES_MAX && size * coordinates <= PRODUCTS_MAX;
  const points = isSmall
    ? gathered(members, embeddings)
    : yield* within(0, 0.05, projected(members, embeddings, mean, random));
  const staying = yield* within(0.05, 0.15, withoutOutliers(points, leaving, random));
  const first = firstOf(staying, worths, (position) => distanceToMean(pool, mean, position));
  const chosen = yield* within(0.15, 1, farthestFirst(points, staying, worths, [first, size]));
  return { indices: membersAt(members, chosen), outliers: leaving };
}

/** The position with the largest worth, and among those the nearest to the mean. */
function firstOf(
  positions: Uint32Array,
  worths: Float64Array | null,
  distanceOf: (position: number) => number,
): number {
  let [best, bestWorth, bestDistance] = [0, -1, Infinity];
  for (const position of positions) {
    const worth = worths === null ? 1 : (worths[position] as number);
    if (worth < bestWorth) continue;
    const distance = distanceOf(position);
    if (worth === bestWorth && distance >= bestDistance) continue;
    [best, bestWorth, bestDistance] = [position, worth, distance];
  }
  return best;
}

/** ‖x − μ‖² */
function distanceToMean(
  { members, embeddings }: GeometricPool,
  mean: Float64Array,
  position: number,
): number {
  return rowOf(embeddings, members[position] as number).reduce(
    (total, value, d) => total + (value - (mean[d] as number)) ** 2,
    0,
  );
}

/**
 * (size) Positions in the order of choice, by lazy evaluation: the distance to the nearest of some choices bounds the distance
 * to the nearest of all, so a point meets further choices only while its bound is the largest. Most points meet a third of them.
 * The choice is that of comparing every point with every choice.
 *
 * @param staying (n) positions of the points to choose from, ascending
 * @param worths by position; null: all equal
 */
function* farthestFirst(
  points: Points,
  staying: Uint32Array,
  worths: Float64Array | null,
  [first, size]: readonly [number, number],
): Steps<Uint32Array> {
  const cover = startOf(points, staying, worths, [staying.indexOf(first), size]);
  const chosen = new Uint32Array(size).fill(first);
  let reported = 0;
  for (let taken = 1; taken < size; taken += 1) {
    const place = farthest(cover, taken);
    chosen[taken] = staying[place] as number;
    copyRow(cover.candidates, place, cover.centers, taken);
    cover.bounds[place] = -Infinity;
    sink(cover.heap, cover.bounds);
    if (cover.compared - reported < DISTANCES_STEP) continue;
    reported = cover.compared;
    yield taken / size;
  }
  return chosen;
}

/** How far n candidates are from the chosen ones. A place is that of a candidate among them. */
interface Cover {
  readonly candidates: Points; // (n)
  readonly worths: Float64Array; // (n) squared, because distances are
  /** (n) Squared distance to the nearest of the first `met` choices. */
  readonly distances: Float64Array;
  readonly met: Uint32Array; // (n)
  /** (n) Worth times distance; −∞ for a chosen candidate. */
  readonly bounds: Float64Array;
  readonly heap: Uint32Array; // (n) places
  readonly centers: Points; // (size) the choices
  /** Number of distances computed. */
  compared: number;
}

/** The cover by the first choice, which every candidate has met. */
function startOf(
  points: Points,
  staying: Uint32Array,
  worths: Float64Array | null,
  [first, size]: readonly [number, number],
): Cover {
  const candidates = rowsOf(points, staying);
  const squared = new Float64Array(staying.length).map((_, place) =>
    worths === null ? 1 : (worths[staying[place] as number] as number) ** 2,
  );
  const distances = squared.map((_, place) =>
    squaredDistance(candidates, first, candidates, place, Infinity),
  );
  const bounds = distances.map((distance, place) => distance * (squared[place] as number));
  bounds[first] = -Infinity;
  const cover = {
    candidates,
    worths: squared,
    distances,
    met: new Uint32Array(staying.length).fill(1),
    bounds,
    heap: heapOf(bounds),
    centers: { count: size, width: points.width, values: new Float32Array(size * points.width) },
    compared: staying.length,
  };
  copyRow(candidates, first, cover.centers, 0);
  return cover;
}

/** The place with the largest worth · distance to the nearest of `taken` choices. */
function farthest(cover: Cover, taken: number): number {
  const { heap, bounds } = cover;
  for (;;) {
    const place = heap[0] as number;
    meet(cover, place, taken);
    sink(heap, bounds);
    // It met every choice: `meet` stops earlier only below the second bound.
    if (heap[0] === place) return place;
  }
}

/** Compares a candidate with the choices that it has not met, until its bound is below the second largest. */
function meet(cover: Cover, place: number, taken: number): void {
  const { candidates, centers, distances, worths, met, bounds, heap } = cover;
  const second = secondOf(heap, bounds);
  const worth = worths[place] as number;
  const from = met[place] as number;
  let distance = distances[place] as number;
  let center = from;
  for (; center < taken && distance * worth >= second; center += 1) {
    distance = Math.min(distance, squaredDistance(candidates, place, centers, center, distance));
  }
  distances[place] = distance;
  bounds[place] = distance * worth;
  met[place] = center;
  cover.compared += center - from;
}
