import { bytes, orNull, type Reply } from "./reply.js";

/**
 * Number of buckets of a dataset and of a generation of outputs. A bucket is a hash. Redis keeps it as a listpack while it has at
 * most 128 entries of at most 64 bytes (Redis's defaults), which allows some 8 million samples in a dataset. Beyond that
 * everything still works, but takes more memory.
 */
export const BUCKETS = 2 ** 16;

/**
 * Key of the hash of a dataset's own fields. The dataset's other keys begin with it. The braces are the hash tag of Redis
 * Cluster.
 */
export function datasetKey(prefix: string, dataset: string): string {
  return `${prefix}:{${dataset}}`;
}

/**
 * A key of one life of a dataset: a bucket by its number, `shapes`, `counts` (samples of each shape), `used` (a bit for each
 * bucket in use), `deleted` (a bit for each number of a deleted sample), `snapshots`, `removed` (what deletions took from their
 * sums), `columns`, a chunk of a column by the numbers of both, `checkpoints`, a hash of histories, `histories` (see
 * `history-scripts.ts`), or what embeddings need (see `EMBEDDINGS`).
 */
export function incarnationKey(
  prefix: string,
  dataset: string,
  incarnation: string,
  part: string | number,
): string {
  return `${datasetKey(prefix, dataset)}:${incarnation}:${part}`;
}

/** Sorted set of all datasets, for listing: name, zero byte, incarnation. */
export function indexKey(prefix: string): string {
  return `${prefix}:datasets`;
}

/** Key of the format of the store: see `store/format.ts`. */
export function formatKey(prefix: string): string {
  return `${prefix}:format`;
}

export function digestKeyKey(prefix: string): string {
  return `${prefix}:digest_key`;
}

/** A key that never exists. A user who may run a command on it may run the command on the other keys too. */
export function probeKey(prefix: string): string {
  return `${prefix}:probe`;
}

/** Key of the hash with the clock of the outputs. The generations' keys begin with it. */
export function outputsKey(prefix: string): string {
  return `${prefix}:outputs:{outputs}`;
}

/** Key of the hash of the directions by name. The keys of their vectors' chunks begin with it. */
export function directionsKey(prefix: string): string {
  return `${prefix}:directions:{directions}`;
}

/** Bucket of an id: FNV-1a over its UTF-16 units, folded to 16 bits. */
export function bucketOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return ((hash >>> 16) ^ hash) & (BUCKETS - 1);
}

/** Reads the answer to GET of a bitmap `used`: the numbers of the bits that are set. They are empty if there is no bitmap. */
export const usedBuckets: Reply<number[]> = (answer) => {
  const buckets: number[] = [];
  for (const [byte, bits] of (orNull(bytes)(answer) ?? []).entries()) {
    for (let bit = 0; bit < 8; bit++) if (bits & (0x80 >> bit)) buckets.push(byte * 8 + bit);
  }
  return buckets;
};
