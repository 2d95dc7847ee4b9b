import { emptyLists, entryOf, type NearestLists, offer } from "./nearest-lists.js";
import { type Points, rowsOf } from "./projection.js";
import type { Random } from "./random.js";
import { randomSubset } from "./subset.js";
import type { Steps } from "./types.js";

/** A point is compared with the points of the buckets nearest to it, of which there are so many. */
const PROBES = 24;
/** Points handled between two pauses. */
const POINTS_STEP = 128;

/**
 * For each point the `width` most similar others that were found, by the inner product. Each point belongs to the bucket of the
 * nearest of √(24 n) randomly drawn points (a Voronoi partition), and is compared with the points of the 24 buckets nearest to
 * it (an inverted file with multiple probes, Jégou, Douze & Schmid 2011, "Product Quantization for Nearest Neighbor Search",
 * IEEE PAMI 33(1)). Each point costs 2√(24 n) inner products. Memory: 240 + 8 · width bytes a point.
 *
 * @param points (n, 32) unit vectors
 */
export function* nearestByBuckets(points: Points, width: number, random: Random): Steps<NearestLists> {
  const seeds = randomSubset(points.count, Math.ceil(Math.sqrt(PROBES * points.count)), random);
  const probes = yield* nearestSeeds(points, rowsOf(points, seeds));
  const { order, ends } = byBucket(probes, seeds.length);
  const sorted = rowsOf(points, order); // the rows of a bucket lie together
  const lists = emptyLists(points.count, width);
  for (const [place, position] of order.entries()) {
    for (const bucket of probes.ids.subarray(position * probes.width, (position + 1) * probes.width)) {
      const from = bucket === 0 ? 0 : (ends[bucket - 1] as number);
      compareWith(lists, sorted, place, order, [from, ends[bucket] as number]);
    }
    if (place % POINTS_STEP === 0) yield 0.5 + place / (2 * points.count);
  }
  return lists;
}

/** (n, 24) The seeds nearest to each point. */
function* nearestSeeds(points: Points, seeds: Points): Steps<NearestLists> {
  const probes = emptyLists(points.count, Math.min(PROBES, seeds.count));
  for (let position = 0; position < points.count; position += 1) {
    for (let seed = 0; seed < seeds.count; seed += 1) {
      const similarity = innerProduct(points, position, seeds, seed);
      if (similarity > entryOf(probes, position)) offer(probes, position, seed, similarity);
    }
    if (position % POINTS_STEP === 0) yield position / (2 * points.count);
  }
  return probes;
}

/** The positions of the points, bucket by bucket, and where each bucket ends. */
function byBucket({ ids, width, counts }: NearestLists, buckets: number) {
  const ends = new Uint32Array(buckets + 1);
  for (let position = 0; position < counts.length; position += 1) {
    const next = (ids[position * width] as number) + 1;
    ends[next] = (ends[next] as number) + 1;
  }
  for (let bucket = 1; bucket <= buckets; bucket += 1) {
    ends[bucket] = (ends[bucket] as number) + (ends[bucket - 1] as number);
  }
  const order = new Uint32Array(counts.length);
  for (let position = 0; position < counts.length; position += 1) {
    const bucket = ids[position * width] as number;
    const place = ends[bucket] as number;
    order[place] = position;
    ends[bucket] = place + 1;
  }
  return { order, ends };
}

function compareWith(
  lists: NearestLists,
  sorted: Points,
  place: number,
  order: Uint32Array,
  [from, to]: readonly [number, number],
): void {
  const position = order[place] as number;
  let entry = entryOf(lists, position);
  for (let other = from; other < to; other += 1) {
    const similarity = innerProduct(sorted, place, sorted, other);
    if (similarity <= entry || other === place) continue;
    offer(lists, position, order[other] as number, similarity);
    entry = entryOf(lists, position);
  }
}

/** Of a row of `a` and a row of `b`, whose width is a multiple of 8. */
function innerProduct(a: Points, rowA: number, b: Points, rowB: number): number {
  const x = a.values;
  const y = b.values;
  let atA = rowA * a.width;
  let atB = rowB * b.width;
  const end = atA + a.width;
  let t0 = 0;
  let t1 = 0;
  let t2 = 0;
  let t3 = 0;
  while (atA < end) {
    t0 += (x[atA] as number) * (y[atB] as number);
    t1 += (x[atA + 1] as number) * (y[atB + 1] as number);
    t2 += (x[atA + 2] as number) * (y[atB + 2] as number);
    t3 += (x[atA + 3] as number) * (y[atB + 3] as number);
    atA += 4;
    atB += 4;
  }
  return t0 + t1 + (t2 + t3);
}
