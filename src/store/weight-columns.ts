import type { ColumnPlace } from "./codec/snapshot.js";
import { NO_NUMBER } from "./codec/stored.js";

/**
 * Samples whose weights one stored value holds: a chunk of a column. With the 16 bytes that LMDB adds, and the 10 that Redis adds,
 * its float32 values just fill 16 KiB; with four more, either would take 20.
 */
export const CHUNK_ENTRIES = 4092;
const CHUNK_BYTES = 4 * CHUNK_ENTRIES;
/** Chunks that a process keeps in memory: 64 MiB, the newest weights of 16 million samples. */
const CACHED_MAX = 4096;

/** The chunk of a column that holds no weights but `DatasetWeights.later`, in UTF-8. */
export const LATER_CHUNK = 0xffff_ffff;

/** Weights by number that are looked up: row i takes the weight of sample `numbers[i]`. */
export interface WeightRows {
  readonly numbers: Uint32Array;
  readonly weights: Float64Array;
}

/** Where rows take their weights from. */
export interface WeightSource {
  readonly incarnation: string;
  readonly column: ColumnPlace;
  readonly weightScale: number;
}

/**
 * Reads chunks of a column of one dataset from the store, in the order that is asked for; null for a chunk that is missing.
 */
export type LoadChunks = (
  column: ColumnPlace,
  chunks: readonly number[],
) => Promise<readonly (Buffer | null)[]>;

/**
 * Weights of published snapshots by number, with the newest used chunks in memory. They can be kept without asking again: a
 * published column changes only where a sample is deleted, whose weight nobody asks for then, and its number is not given again.
 */
export interface WeightColumns {
  /** Fills the rows from `from` to `to`. Answers false if the store has dropped the column; then look again. */
  fill(source: WeightSource, rows: WeightRows, range: RowRange, load: LoadChunks): Promise<boolean>;
}

export interface RowRange {
  readonly from: number;
  readonly to: number;
}

export function openWeightColumns(): WeightColumns {
  const cached = new Map<string, Float32Array>();

  function take(key: string): Float32Array | undefined {
    const chunk = cached.get(key);
    if (chunk === undefined) return undefined;
    cached.delete(key); // The map is in the order of use.
    cached.set(key, chunk);
    return chunk;
  }

  function keep(key: string, chunk: Float32Array): void {
    cached.set(key, chunk);
    if (cached.size <= CACHED_MAX) return;
    const [oldest] = cached.keys();
    if (oldest !== undefined) cached.delete(oldest);
  }

  return {
    async fill({ incarnation, column, weightScale }, { numbers, weights }, { from, to }, load) {
      const chunks: (Float32Array | undefined)[] = [];
      const wanted = new Set<number>();
      for (let row = from; row < to; row++) {
        const number = numbers[row] as number;
        if (number === NO_NUMBER || number >= column.length) continue;
        const chunk = Math.floor(number / CHUNK_ENTRIES);
        if (chunks[chunk] !== undefined || wanted.has(chunk)) continue;
        const known = take(`${incarnation}:${column.id}:${chunk}`);
        if (known === undefined) wanted.add(chunk);
        else chunks[chunk] = known;
      }
      if (wanted.size > 0) {
        const missing = [...wanted];
        for (const [index, bytes] of (await load(column, missing)).entries()) {
          if (bytes === null) return false;
          const chunk = missing[index] as number;
          const floats = floatsOf(bytes);
          chunks[chunk] = floats;
          keep(`${incarnation}:${column.id}:${chunk}`, floats);
        }
      }
      for (let row = from; row < to; row++) {
        const number = numbers[row] as number;
        if (number === NO_NUMBER || number >= column.length) continue;
        const chunk = chunks[Math.floor(number / CHUNK_ENTRIES)] as Float32Array;
        weights[row] = (chunk[number % CHUNK_ENTRIES] as number) * weightScale;
      }
      return true;
    },
  };
}

/** Number of chunks of a column with `length` entries. */
export function chunkCount(length: number): number {
  return Math.ceil(length / CHUNK_ENTRIES);
}

/** The stored form of a chunk: float32 little-endian, NaN where there is no weight. */
export function encodeChunk(weights: Float64Array, chunk: number): Buffer {
  const from = chunk * CHUNK_ENTRIES;
  const entries = Math.min(CHUNK_ENTRIES, weights.length - from);
  const bytes = Buffer.allocUnsafe(4 * entries);
  for (let entry = 0; entry < entries; entry++)
    bytes.writeFloatLE(weights[from + entry] as number, 4 * entry);
  return bytes;
}

function floatsOf(bytes: Buffer): Float32Array {
  const floats = new Float32Array(Math.min(bytes.length, CHUNK_BYTES) / 4);
  for (let entry = 0; entry < floats.length; entry++) floats[entry] = bytes.readFloatLE(4 * entry);
  return floats;
}
