import { type GeometricPool, worthsOf } from "./geometric-pool.js";
import { heapOf, sink } from "./heap.js";
import { type NeighbourGraph, neighbourGraph } from "./neighbours.js";
import { membersAt } from "./positions.js";
import type { Random } from "./random.js";
import { type Steps, within } from "./types.js";

/** Each member has at least and at most so many neighbours in the graph (more come from those that count it among theirs). */
const NEIGHBOURS_MIN = 16;
const NEIGHBOURS_MAX = 64;
/** Selections between two pauses. */
const SELECTIONS_STEP = 64;

/**
 * `facility_location`: the members that represent all members best. It maximises F(S) = Σ_i max_{j ∈ S} s_ij over the members i,
 * with s_ij the cosine of centred embeddings on the neighbour graph, 0 off the graph and 1 for i = j (Wei, Iyer & Bilmes 2015,
 * "Submodularity in Data Subset Selection and Active Learning", ICML). The greedy choice reaches at least 1 − 1/e of the best
 * F on this graph (Nemhauser, Wolsey & Fisher 1978, "An Analysis of Approximations for Maximizing Submodular Set Functions").
 * With worths w, the next choice has the largest w_j (F(S ∪ j) − F(S)).
 *
 * The graph has 2n/size neighbours a member, but at least 16 and at most 64. A selection of far less than a hundredth of the
 * members therefore leaves members without a representative. Memory beyond the embeddings: 1.4 to 4 KB a member.
 *
 * @param size from 1 to n
 * @returns (size) indices in the order of choice, so that the first k are the selection of size k on this graph
 */
export function* facilityLocation(pool: GeometricPool, size: number, random: Random): Steps<Uint32Array> {
  const { members, embeddings } = pool;
  const wanted = Math.ceil((2 * members.length) / size);
  const width = Math.min(members.length - 1, NEIGHBOURS_MAX, Math.max(NEIGHBOURS_MIN, wanted));
  const graph = yield* within(0, 0.9, neighbourGraph(members, embeddings, width, random));
  const chosen = yield* within(0.9, 1, lazyGreedy(graph, worthsOf(pool), size));
  return membersAt(members, chosen);
}

/**
 * The greedy choice by lazy evaluation: a gain only shrinks as the selection grows, so a gain computed earlier bounds the
 * present one, and only the member with the largest bound is computed again (Minoux 1978, "Accelerated Greedy
 * Algorithms for Maximizing Submodular Set Functions"). The choice is that of plain greedy. Equal gains go by position.
 *
 * @param worths (n) at least 0; null: all equal
 */
export function* lazyGreedy(
  graph: NeighbourGraph,
  worths: Float64Array | null,
  size: number,
): Steps<Uint32Array> {
  const count = graph.offsets.length - 1;
  const covered = new Float64Array(count); // (n) max_{j ∈ S} s_ij
  const gainOf = (position: number): number =>
    gainAt(graph, covered, position) * (worths === null ? 1 : (worths[position] as number));
  const bounds = new Float64Array(count).map((_, position) => gainOf(position));
  const heap = heapOf(bounds);
  const chosen = new Uint32Array(size);
  for (let taken = 0; taken < size; taken += 1) {
    for (;;) {
      const first = heap[0] as number;
      bounds[first] = gainOf(first);
      sink(heap, bounds);
      if (heap[0] === first) break;
    }
    const best = heap[0] as number;
    chosen[taken] = best;
    cover(graph, covered, best);
    bounds[best] = -1; // below every gain: it stays at the bottom
    sink(heap, bounds);
    if (taken % SELECTIONS_STEP === 0) yield taken / size;
  }
  return chosen;
}

/** F(S ∪ j) − F(S). */
function gainAt(
  { offsets, neighbours, similarities }: NeighbourGraph,
  covered: Float64Array,
  j: number,
): number {
  let gain = Math.max(0, 1 - (covered[j] as number));
  const end = offsets[j + 1] as number;
  for (let edge = offsets[j] as number; edge < end; edge += 1) {
    const more = (similarities[edge] as number) - (covered[neighbours[edge] as number] as number);
    if (more > 0) gain += more;
  }
  return gain;
}

function cover(
  { offsets, neighbours, similarities }: NeighbourGraph,
  covered: Float64Array,
  j: number,
): void {
  covered[j] = 1;
  const end = offsets[j + 1] as number;
  for (let edge = offsets[j] as number; edge < end; edge += 1) {
    const neighbour = neighbours[edge] as number;
    covered[neighbour] = Math.max(covered[neighbour] as number, similarities[edge] as number);
  }
}
