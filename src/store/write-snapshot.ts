import { AssayError } from "../errors.js";
import { corrupt } from "./codec/bytes.js";
import { isObject, parseObject } from "./codec/json.js";
import { type KeptSnapshot, snapshotInfo, snapshotOf, weightScale } from "./codec/snapshot.js";
import type { DatasetWeights, DoneRequest, RepeatableRequest } from "./dataset-port.js";
import type { SnapshotInfo } from "./dataset-records.js";
import { CHUNK_ENTRIES, chunkCount, encodeChunk, LATER_CHUNK } from "./weight-columns.js";

/** Snapshots of a dataset that stay readable. */
export const SNAPSHOTS_KEPT = 4;
/** A column that was begun this long ago and is not published was abandoned. The next publication removes it. */
export const ABANDONED_AFTER_MS = 3600 * 1000;
/** A repeatable request is answered from memory for this long. */
export const ANSWERS_KEPT_MS = 24 * 3600 * 1000;
/** Chunks that are given to the store at once. Between two such steps other work gets a turn. */
const CHUNKS_AT_ONCE = 64;

/** A chunk of a column in its stored form. */
export interface ColumnChunk {
  readonly chunk: number;
  readonly bytes: Buffer;
}

/** The numbers of deleted samples. */
export interface Deleted {
  /** Number of deletions so far. It tells two states apart. */
  readonly deletions: number;
  /** A bit for each number, highest bit of each byte first, as in Redis. */
  readonly bits: Buffer;
}

/** What a store does for one snapshot that is being written. Each step throws `dataset_not_found` if the dataset is gone. */
export interface SnapshotWriter {
  /** Number of the column. */
  readonly column: number;
  writeChunks(chunks: readonly ColumnChunk[]): Promise<void>;
  readDeleted(): Promise<Deleted>;
  /**
   * Makes the snapshot the newest and gives it the next version, unless a sample was deleted since `deletions`: then answers null
   * and changes nothing. Removes the columns of snapshots that are no longer kept, and abandoned columns. If a request was done
   * under the key of the given one, changes nothing and answers that request.
   */
  publish(
    snapshot: Omit<KeptSnapshot, "version">,
    deletions: number,
    request: RepeatableRequest | undefined,
  ): Promise<number | DoneRequest | null>;
}

/**
 * Writes the weights as a column beside the newest snapshot and then publishes it. The weight of a sample that was deleted in the
 * meantime is cleared before the publication.
 */
export async function writeSnapshot(
  writer: SnapshotWriter,
  given: DatasetWeights,
  provenance: SnapshotInfo["provenance"],
  request: RepeatableRequest | undefined,
): Promise<SnapshotInfo> {
  const { weights, later } = given;
  if (later !== null) await writer.writeChunks([{ chunk: LATER_CHUNK, bytes: Buffer.from(later) }]);
  let unwritten = new Set(Array.from({ length: chunkCount(weights.length) }, (_, chunk) => chunk));
  for (;;) {
    const { deletions, bits } = await writer.readDeleted();
    for (const number of deletedIn(bits, weights.length)) {
      if (Number.isNaN(weights[number])) continue;
      weights[number] = Number.NaN;
      unwritten.add(Math.floor(number / CHUNK_ENTRIES));
    }
    const chunks = [...unwritten];
    for (let start = 0; start < chunks.length; start += CHUNKS_AT_ONCE) {
      const step = chunks.slice(start, start + CHUNKS_AT_ONCE);
      await writer.writeChunks(step.map((chunk) => ({ chunk, bytes: encodeChunk(weights, chunk) })));
    }
    unwritten = new Set();
    const snapshot = {
      createdAtMs: Date.now(),
      ...totals(weights),
      provenance,
      weightScale: weightScale(weights),
      column: { id: writer.column, length: weights.length },
    };
    const published = await writer.publish(snapshot, deletions, request);
    if (typeof published === "number") return snapshotInfo({ version: published, ...snapshot });
    if (published !== null) return sameRequest(published, request).snapshot;
  }
}

/** The done request. Throws `idempotency_conflict` if it is not the given one. */
export function sameRequest(
  done: DoneRequest,
  request: Pick<RepeatableRequest, "body"> | undefined,
): DoneRequest {
  if (done.body === request?.body) return done;
  throw new AssayError("idempotency_conflict", {
    detail: "The Idempotency-Key was given to another request less than 24 hours ago: choose another key",
  });
}

/** The stored form of a done request, without the version of its snapshot: that and a space come first. */
export function formatDone(
  { body, answer }: RepeatableRequest,
  snapshot: Omit<SnapshotInfo, "version">,
): string {
  return JSON.stringify({ body, answer, snapshot });
}

/** A done request from its stored form; null if it was done too long ago. @throws AssayError `store_corrupt` */
export function parseDone(text: string): DoneRequest | null {
  const space = text.indexOf(" ");
  const { body, answer, snapshot } = parseObject(text.slice(space + 1), "a done request");
  if (typeof body !== "string" || !isObject(answer) || !isObject(snapshot))
    throw corrupt("a done request is incomplete");
  const info = snapshotInfo(snapshotOf({ ...snapshot, version: Number(text.slice(0, space)) }));
  return Date.now() - info.createdAtMs > ANSWERS_KEPT_MS ? null : { body, answer, snapshot: info };
}

function* deletedIn(bits: Buffer, length: number): Generator<number> {
  const bytes = Math.min(bits.length, Math.ceil(length / 8));
  for (let byte = 0; byte < bytes; byte++) {
    const eight = bits[byte] as number;
    if (eight === 0) continue;
    for (let bit = 0; bit < 8; bit++)
      if (eight & (0x80 >> bit) && byte * 8 + bit < length) yield byte * 8 + bit;
  }
}

function totals(weights: Float64Array): { samples: number; weightSum: number } {
  let samples = 0;
  let weightSum = 0;
  let lost = 0; // Kahan: what the sum has rounded away
  for (const weight of weights) {
    if (Number.isNaN(weight)) continue;
    samples++;
    const exact = weight - lost;
    const next = weightSum + exact;
    lost = next - weightSum - exact;
    weightSum = next;
  }
  return { samples, weightSum };
}
