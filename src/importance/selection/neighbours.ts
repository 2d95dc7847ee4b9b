import { nearestByBuckets } from "./buckets.js";
import { type Cosine, centredCosine } from "./cosine.js";
import { emptyLists, type NearestLists, offer } from "./nearest-lists.js";
import { meanOf, type Points, projected } from "./projection.js";
import type { Random } from "./random.js";
import { type Embeddings, type Steps, within } from "./types.js";

/** An undirected graph of n points, each with those that are near to it. */
export interface NeighbourGraph {
  /** (n + 1) The edges of a point are those from its offset to the next. */
  readonly offsets: Uint32Array;
  /** (E) The point at the other end. */
  readonly neighbours: Uint32Array;
  /** (E) Cosine of the centred embeddings, above 0. */
  readonly similarities: Float32Array;
}

/** Up to so many products n² D every pair is compared. It takes about a second. */
const PRODUCTS_MAX = 2 ** 30;
/** So many times the neighbours wanted are found in the projection, and compared exactly. */
const FOUND_FACTOR = 4;
const POINTS_STEP = 64;
/** Points whose edges are visited between two pauses. */
const EDGES_STEP = 4096;

/**
 * The graph that joins each member with its `width` nearest, and so with those that count it among theirs. Near is the cosine of
 * the embeddings minus their mean; neighbours with a cosine of at most 0 are left out.
 *
 * Up to n² D = 2^30 the neighbours are exact. Beyond, they are found by buckets in a random projection (`nearestByBuckets`), and
 * four times as many as wanted are compared by their exact cosine. Memory beyond the embeddings: 470 + 56 · width bytes a
 * member.
 *
 * @param members (n) indices
 */
export function* neighbourGraph(
  members: Uint32Array,
  embeddings: Embeddings,
  width: number,
  random: Random,
): Steps<NeighbourGraph> {
  const mean = meanOf(members, embeddings);
  const cosine = centredCosine(members, embeddings, mean);
  if (members.length ** 2 * embeddings.width <= PRODUCTS_MAX) {
    const lists = yield* within(0, 0.95, nearestOfAll(members.length, cosine, width));
    return yield* within(0.95, 1, joined(lists));
  }
  const points = yield* within(0, 0.1, projected(members, embeddings, mean, random));
  const found = yield* within(0.1, 0.85, nearestByBuckets(unitRows(points), FOUND_FACTOR * width, random));
  const lists = yield* within(0.85, 0.95, nearestOfFound(found, cosine, width));
  return yield* within(0.95, 1, joined(lists));
}

function* nearestOfAll(count: number, cosine: Cosine, width: number): Steps<NearestLists> {
  const lists = emptyLists(count, width);
  for (let a = 0; a < count; a += 1) {
    for (let b = 0; b < a; b += 1) {
      const similarity = cosine(a, b);
      if (similarity <= 0) continue;
      offer(lists, a, b, similarity);
      offer(lists, b, a, similarity);
    }
    if (a % POINTS_STEP === 0) yield (a / count) ** 2;
  }
  return lists;
}

function* nearestOfFound(found: NearestLists, cosine: Cosine, width: number): Steps<NearestLists> {
  const lists = emptyLists(found.counts.length, width);
  for (const [position, count] of found.counts.entries()) {
    const from = position * found.width;
    for (const other of found.ids.subarray(from, from + count)) {
      const similarity = cosine(position, other);
      if (similarity > 0) offer(lists, position, other, similarity);
    }
    if (position % POINTS_STEP === 0) yield position / found.counts.length;
  }
  return lists;
}

/** The rows at length 1, in place. A row of zeros stays. */
function unitRows(points: Points): Points {
  for (let row = 0; row < points.count; row += 1) {
    const values = points.values.subarray(row * points.width, (row + 1) * points.width);
    const norm = Math.sqrt(values.reduce((total, x) => total + x * x, 0));
    if (norm > 0) for (const [p, x] of values.entries()) values[p] = x / norm;
  }
  return points;
}

/** The lists and their reverse, without repetition. */
function* joined(lists: NearestLists): Steps<NeighbourGraph> {
  const count = lists.counts.length;
  const offsets = new Uint32Array(count + 1);
  const counted = forEachEdge(lists, (point) => {
    offsets[point + 1] = (offsets[point + 1] as number) + 1;
  });
  yield* within(0, 0.5, counted);
  for (let point = 0; point < count; point += 1) {
    offsets[point + 1] = (offsets[point + 1] as number) + (offsets[point] as number);
  }
  const places = offsets.slice(0, count);
  const neighbours = new Uint32Array(offsets[count] as number);
  const similarities = new Float32Array(neighbours.length);
  const placed = forEachEdge(lists, (point, neighbour, similarity) => {
    const place = places[point] as number;
    neighbours[place] = neighbour;
    similarities[place] = similarity;
    places[point] = place + 1;
  });
  yield* within(0.5, 1, placed);
  return { offsets, neighbours, similarities };
}

/** Visits every edge twice, once from each end. */
function* forEachEdge(
  lists: NearestLists,
  visit: (point: number, neighbour: number, similarity: number) => void,
): Steps<void> {
  const { ids, similarities, counts, width } = lists;
  for (let point = 0; point < counts.length; point += 1) {
    const end = point * width + (counts[point] as number);
    for (let at = point * width; at < end; at += 1) {
      const neighbour = ids[at] as number;
      visit(point, neighbour, similarities[at] as number);
      if (!isListed(lists, neighbour, point)) visit(neighbour, point, similarities[at] as number);
    }
    if (point % EDGES_STEP === 0) yield point / counts.length;
  }
}

function isListed({ ids, counts, width }: NearestLists, row: number, id: number): boolean {
  const end = row * width + (counts[row] as number);
  for (let at = row * width; at < end; at += 1) if (ids[at] === id) return true;
  return false;
}
