import { encodeSample } from "./codec/sample.js";
import type { Shape } from "./codec/shape.js";
import type { KeptSnapshot } from "./codec/snapshot.js";
import { decodeStored, encodeStored, NO_NUMBER, storedNumbers } from "./codec/stored.js";
import { FIRST_FORMAT, FORMAT, requireReadable, UPGRADING } from "./format.js";
import { CHUNK_ENTRIES } from "./weight-columns.js";

/** Samples that one step of an upgrade rewrites. */
export const UPGRADE_STEP = 1000;

export interface UpgradeOptions {
  /** The digest of a group in hex, which takes the place of the group in a record. */
  digestGroup(group: string): string;
  /** Called after each step. */
  onProgress(dataset: string, rewritten: number): void;
}

/** What an upgrade did. */
export interface UpgradeReport {
  readonly datasets: number;
  /** Samples that this run rewrote. */
  readonly samples: number;
}

/** A store of an earlier version that can be rewritten in the present format. */
export interface UpgradableStore {
  /**
   * Rewrites the store, in steps that are each done wholly or not at all. An interrupted upgrade goes on where it stopped. Until
   * it has ended, no other process may use the store. Does nothing if the store has the present format.
   */
  upgrade(options: UpgradeOptions): Promise<UpgradeReport>;
}

/** How the format is read and set. */
interface FormatAccess {
  read(): string | Promise<string>;
  set(format: string): Promise<void>;
}

/** Runs `rewrite` between the two formats. Throws `store_newer` for the store of a later version. */
export async function upgradeFormat(
  format: FormatAccess,
  place: string,
  rewrite: () => Promise<UpgradeReport>,
): Promise<UpgradeReport> {
  const found = await format.read();
  if (found === FORMAT) return { datasets: 0, samples: 0 };
  if (found === FIRST_FORMAT) await format.set(UPGRADING);
  else if (found !== UPGRADING) requireReadable(found, place);
  const report = await rewrite();
  await format.set(FORMAT);
  return report;
}

/** Samples of one step in their new form. */
export interface RewrittenSamples {
  readonly values: readonly Buffer[];
  /** float32 of each weight in the snapshot, NaN for none. */
  readonly weights: Buffer;
}

/** Whether a stored sample has the layout of version 1a1e855. */
export function isOfFirstLayout(stored: Buffer): boolean {
  return storedNumbers(stored).number === NO_NUMBER;
}

/**
 * The samples in the present layout, numbered from `firstNumber` on, and their weights.
 *
 * @param snapshot the newest snapshot; null before the first
 */
export function rewriteSamples(
  stored: readonly Buffer[],
  shapes: readonly Shape[],
  snapshot: KeptSnapshot | null,
  firstNumber: number,
  digestGroup: UpgradeOptions["digestGroup"],
): RewrittenSamples {
  const unscaled = snapshot && { ...snapshot, weightScale: 1 };
  const weights = Buffer.allocUnsafe(4 * stored.length);
  const values = stored.map((bytes, index) => {
    const { record, weight } = decodeStored(bytes, (number) => shapes[number], unscaled);
    const { shape } = storedNumbers(bytes);
    const { signals } = shapes[shape] as Shape;
    weights.writeFloatLE(weight ?? Number.NaN, 4 * index);
    const group = record.group === null ? null : digestGroup(record.group);
    return encodeStored(firstNumber + index, shape, encodeSample({ ...record, group }, signals));
  });
  return { values, weights };
}

/** A part of a chunk of a column. */
export interface ChunkPart {
  readonly chunk: number;
  /** Offset in the chunk, in bytes. */
  readonly at: number;
  readonly bytes: Buffer;
}

/** The weights of consecutive numbers as parts of chunks. */
export function chunkParts(firstNumber: number, weights: Buffer): ChunkPart[] {
  const parts: ChunkPart[] = [];
  for (let index = 0; index < weights.length / 4; ) {
    const number = firstNumber + index;
    const entry = number % CHUNK_ENTRIES;
    const count = Math.min(CHUNK_ENTRIES - entry, weights.length / 4 - index);
    const bytes = weights.subarray(4 * index, 4 * (index + count));
    parts.push({ chunk: Math.floor(number / CHUNK_ENTRIES), at: 4 * entry, bytes });
    index += count;
  }
  return parts;
}

/** The snapshot with its weights in a column. */
export function withColumn(
  snapshot: KeptSnapshot,
  column: number,
  length: number,
  chunks: Iterable<Buffer>,
): KeptSnapshot {
  let sum = 0;
  for (const bytes of chunks)
    for (let at = 0; at < bytes.length; at += 4) {
      const weight = bytes.readFloatLE(at);
      if (!Number.isNaN(weight)) sum += weight;
    }
  const weightScale = snapshot.weightScale ?? 1;
  return { ...snapshot, weightScale, weightSum: sum * weightScale, column: { id: column, length } };
}
