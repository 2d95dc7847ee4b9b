import { randomBytes } from "node:crypto";
import { corrupt } from "../codec/bytes.js";
import { type EmbeddingsState, embeddingsState } from "../codec/embeddings-state.js";
import { isObject, parseObject } from "../codec/json.js";
import { type KeptSnapshot, snapshotOf } from "../codec/snapshot.js";
import type { TrainingCheckpoint } from "../dataset-records.js";

/**
 * An incarnation is the random name of one life of a dataset. A deleted dataset's remains can therefore not be taken for those of
 * a later dataset of the same name.
 */
export const INCARNATION_BYTES = 6;

/** The record of a dataset, apart from its samples. Every change of a sample rewrites it. */
export interface DatasetEntry {
  readonly incarnation: Buffer;
  readonly samples: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Number of the dataset's shapes: see `Shape`. */
  readonly shapes: number;
  /** Number of samples of each shape; null if the last writer was version 1a1e855, which did not count them. */
  readonly counts: readonly number[] | null;
  /** The snapshots that are kept, the oldest first. */
  readonly snapshots: readonly KeptSnapshot[];
  /** Numbers that samples have been given: the next sample gets this one. */
  readonly numbers: number;
  /** Samples that have been deleted. */
  readonly deletions: number;
  /** Columns of weights that writers have taken. */
  readonly columns: number;
  /** The columns that are being written. */
  readonly pending: readonly PendingColumn[];
  /** The checkpoints of the histories, by number. */
  readonly checkpoints: readonly TrainingCheckpoint[];
  /** Null if the dataset is not to keep embeddings. */
  readonly embeddings: EmbeddingsState | null;
  /** Whether the samples' keys have keyed hashes of the ids. Only a dataset without samples changes it. */
  readonly hashedIds: boolean;
}

export interface PendingColumn {
  readonly id: number;
  readonly begunAtMs: number;
}

/** The newest snapshot, which readers see; null before the first. */
export function newestSnapshot({ snapshots }: DatasetEntry): KeptSnapshot | null {
  return snapshots.at(-1) ?? null;
}

/** The entry of a dataset that has no samples yet. */
export function newEntry(now: number): DatasetEntry & { readonly counts: readonly number[] } {
  return {
    incarnation: randomBytes(INCARNATION_BYTES),
    samples: 0,
    createdAtMs: now,
    updatedAtMs: now,
    shapes: 0,
    counts: [],
    snapshots: [],
    numbers: 0,
    deletions: 0,
    columns: 0,
    pending: [],
    checkpoints: [],
    embeddings: null,
    hashedIds: false,
  };
}

/** The counts contain the time of their entry, because a writer of version 1a1e855 changes only the entry's own time. */
export function formatEntry({ counts, ...entry }: DatasetEntry): Buffer {
  const { incarnation, updatedAtMs } = entry;
  return Buffer.from(
    JSON.stringify({
      ...entry,
      incarnation: incarnation.toString("hex"),
      ...(counts && { counts: { ofMs: updatedAtMs, byShape: counts } }),
    }),
  );
}

/** @throws AssayError `store_corrupt` if a part is missing */
export function parseEntry(bytes: Buffer): DatasetEntry {
  const fields = parseObject(bytes.toString(), "the entry of a dataset");
  const { incarnation, samples, createdAtMs, updatedAtMs, shapes, counts, snapshots } = fields;
  const {
    numbers = 0,
    deletions = 0,
    columns = 0,
    pending = [],
    checkpoints = [],
    hashedIds = false,
  } = fields;
  if (
    typeof incarnation !== "string" ||
    !isWhole(samples) ||
    !isWhole(createdAtMs) ||
    !isWhole(updatedAtMs) ||
    !isWhole(shapes) ||
    !isWhole(numbers) ||
    !isWhole(deletions) ||
    !isWhole(columns) ||
    !(Array.isArray(pending) && pending.every(isPending)) ||
    !(Array.isArray(checkpoints) && checkpoints.every(isCheckpoint)) ||
    typeof hashedIds !== "boolean"
  ) {
    throw corrupt("the entry of a dataset is incomplete");
  }
  return {
    incarnation: Buffer.from(incarnation, "hex"),
    samples,
    createdAtMs,
    updatedAtMs,
    shapes,
    counts: countsAt(updatedAtMs, counts),
    snapshots: snapshots === undefined ? firstSnapshots(fields.snapshot) : snapshotsOf(snapshots),
    numbers,
    deletions,
    columns,
    pending,
    checkpoints,
    embeddings: embeddingsState(fields.embeddings),
    hashedIds,
  };
}

function snapshotsOf(kept: unknown): KeptSnapshot[] {
  if (!Array.isArray(kept)) throw corrupt("the snapshots of a dataset are not a list");
  return kept.map(snapshotOf);
}

/** Version 1a1e855 kept one snapshot. */
function firstSnapshots(kept: unknown): KeptSnapshot[] {
  return kept === null ? [] : [snapshotOf(kept)];
}

/** The counts; null if they do not belong to the present samples. */
function countsAt(updatedAtMs: number, counts: unknown): readonly number[] | null {
  if (!isObject(counts) || counts.ofMs !== updatedAtMs) return null;
  const { byShape } = counts;
  if (!Array.isArray(byShape) || !byShape.every(isWhole))
    throw corrupt("the counts of a dataset are not numbers");
  return byShape;
}

function isPending(value: unknown): value is PendingColumn {
  return isObject(value) && isWhole(value.id) && isWhole(value.begunAtMs);
}

function isCheckpoint(value: unknown): value is TrainingCheckpoint {
  return isObject(value) && typeof value.name === "string" && isWhole(value.step);
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value);
}
