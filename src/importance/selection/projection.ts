import type { Random } from "./random.js";
import type { Embeddings } from "./types.js";

/** n points of some dimensions, in rows that are padded with zeros to a multiple of 8, so that loops need no rest. */
export interface Points {
  readonly count: number;
  /** Multiple of 8. */
  readonly width: number;
  readonly values: Float32Array; // (n, width)
}

/**
 * A random projection has so many dimensions: squared distances are then right to a quarter of their size (one deviation,
 * √(2/32)).
 */
const PROJECTED_WIDTH = 32;
/** Coordinates read between two pauses. */
const COORDINATES_STEP = 2 ** 19;
const PADDING = 8;

/** (n, D) The members' embeddings, as they are. 4 bytes a member and dimension. */
export function gathered(members: Uint32Array, embeddings: Embeddings): Points {
  const width = Math.ceil(embeddings.width / PADDING) * PADDING;
  const values = new Float32Array(members.length * width);
  for (const [position, index] of members.entries()) {
    values.set(rowOf(embeddings, index), position * width);
  }
  return { count: members.length, width, values };
}

/**
 * (n, 32) The members' embeddings minus their mean, in a random projection x ↦ Rx/√32 with R of random signs, which keeps
 * distances in expectation (Johnson & Lindenstrauss 1984; with signs, Achlioptas 2003, "Database-friendly Random
 * Projections", Journal of Computer and System Sciences 66(4)). O(n · D · 32), 128 bytes a member.
 */
export function* projected(
  members: Uint32Array,
  embeddings: Embeddings,
  mean: Float64Array,
  random: Random,
): Generator<number, Points, undefined> {
  const signs = signsOf(embeddings.width, random);
  const values = new Float32Array(members.length * PROJECTED_WIDTH);
  const rows = Math.ceil(COORDINATES_STEP / embeddings.width);
  for (let from = 0; from < members.length; from += rows) {
    const to = Math.min(members.length, from + rows);
    for (let position = from; position < to; position += 1) {
      const row = rowOf(embeddings, members[position] as number);
      projectRow(
        row,
        mean,
        signs,
        values.subarray(position * PROJECTED_WIDTH, (position + 1) * PROJECTED_WIDTH),
      );
    }
    yield to / members.length;
  }
  return { count: members.length, width: PROJECTED_WIDTH, values };
}

/** (D) The mean of the members' embeddings. */
export function meanOf(members: Uint32Array, embeddings: Embeddings): Float64Array {
  const mean = new Float64Array(embeddings.width);
  for (const index of members) {
    const from = index * embeddings.width;
    const scale = scaleOf(embeddings, index);
    for (let d = 0; d < mean.length; d += 1) {
      mean[d] = (mean[d] as number) + scale * (embeddings.values[from + d] as number);
    }
  }
  return mean.map((total) => total / members.length);
}

/** The points at these positions, in their order. */
export function rowsOf(points: Points, positions: Uint32Array): Points {
  const { width } = points;
  const rows = { count: positions.length, width, values: new Float32Array(positions.length * width) };
  for (const [row, position] of positions.entries()) copyRow(points, position, rows, row);
  return rows;
}

export function copyRow(from: Points, row: number, to: Points, place: number): void {
  to.values.set(from.values.subarray(row * from.width, (row + 1) * from.width), place * to.width);
}

/** ‖a − b‖² of two rows; more than `limit`, but not all of it, once it exceeds `limit`. */
export function squaredDistance(a: Points, rowA: number, b: Points, rowB: number, limit: number): number {
  const x = a.values;
  const y = b.values;
  let atA = rowA * a.width;
  let atB = rowB * b.width;
  const end = atA + a.width;
  let total = 0;
  while (atA < end) {
    const d0 = (x[atA] as number) - (y[atB] as number);
    const d1 = (x[atA + 1] as number) - (y[atB + 1] as number);
    const d2 = (x[atA + 2] as number) - (y[atB + 2] as number);
    const d3 = (x[atA + 3] as number) - (y[atB + 3] as number);
    const d4 = (x[atA + 4] as number) - (y[atB + 4] as number);
    const d5 = (x[atA + 5] as number) - (y[atB + 5] as number);
    const d6 = (x[atA + 6] as number) - (y[atB + 6] as number);
    const d7 = (x[atA + 7] as number) - (y[atB + 7] as number);
    total += d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3) + (d4 * d4 + d5 * d5 + (d6 * d6 + d7 * d7));
    if (total > limit) return total;
    atA += PADDING;
    atB += PADDING;
  }
  return total;
}

/** (D) One embedding. It may be a view of the embeddings. */
export function rowOf(embeddings: Embeddings, index: number): Float32Array {
  const { values, width } = embeddings;
  const row = values.subarray(index * width, (index + 1) * width);
  if (row instanceof Float32Array && embeddings.scales === undefined) return row;
  const scale = scaleOf(embeddings, index);
  // A loop, because `Float32Array.from` with a function goes through an iterator, which takes many times as long.
  const scaled = new Float32Array(width);
  for (let d = 0; d < width; d += 1) scaled[d] = scale * (row[d] as number);
  return scaled;
}

/** What the values of a row are multiplied by. */
export function scaleOf({ scales }: Embeddings, index: number): number {
  return scales === undefined ? 1 : (scales[index] as number);
}

/** (D, 32) ±1/√32. */
function signsOf(width: number, random: Random): Float32Array {
  const unit = 1 / Math.sqrt(PROJECTED_WIDTH);
  const signs = new Float32Array(width * PROJECTED_WIDTH);
  for (let d = 0; d < width; d += 1) {
    const bits = random.word();
    for (let p = 0; p < PROJECTED_WIDTH; p += 1)
      signs[d * PROJECTED_WIDTH + p] = (bits >>> p) & 1 ? unit : -unit;
  }
  return signs;
}

function projectRow(
  row: Float32Array,
  mean: Float64Array,
  signs: Float32Array,
  projection: Float32Array,
): void {
  const sums = new Float64Array(PROJECTED_WIDTH);
  for (let d = 0; d < row.length; d += 1) {
    const x = (row[d] as number) - (mean[d] as number);
    const from = d * PROJECTED_WIDTH;
    for (let p = 0; p < PROJECTED_WIDTH; p += 1) {
      sums[p] = (sums[p] as number) + x * (signs[from + p] as number);
    }
  }
  projection.set(sums);
}
