import type { KeptSnapshot } from "../codec/snapshot.js";
import { storedNumbers } from "../codec/stored.js";
import { recount } from "../counted-once.js";
import { CHUNK_ENTRIES } from "../weight-columns.js";
import { columnKey, DELETED_COLUMN, DELETED_ENTRIES } from "./column-key.js";
import type { Change, CountedEntry } from "./dataset-entries.js";
import { planEmbeddings } from "./embedding-plan.js";
import type { Environment } from "./environment.js";
import { historyKey, sampleKey } from "./sample-key.js";

/**
 * Plans the deletion of a sample: its record, its history, its embedding, its weights in all snapshots that are kept, and a bit
 * that keeps its weight out of snapshots that are being written. Null if there is no such sample.
 */
export function planDeletion(
  {
    samples,
    histories,
    embeddings,
    columns,
  }: Pick<Environment, "samples" | "histories" | "embeddings" | "columns">,
  entry: CountedEntry,
  keptId: string,
): Change<true> | null {
  const key = sampleKey(entry, keptId);
  const old = samples.getBinaryFast(key);
  if (old === undefined) return null;
  const { number, shape } = storedNumbers(old);
  const counts = [...entry.counts];
  recount(counts, shape, -1);
  const puts: { key: Buffer; value: Buffer }[] = [];

  function clearedIn(snapshot: KeptSnapshot): KeptSnapshot {
    const { column, weightSum, weightScale = 1 } = snapshot;
    if (column === undefined || number >= column.length || weightSum === null) return snapshot;
    const chunkKey = columnKey(entry, column.id, Math.floor(number / CHUNK_ENTRIES));
    const chunk = columns.get(chunkKey);
    if (chunk === undefined) return snapshot;
    const at = 4 * (number % CHUNK_ENTRIES);
    const weight = chunk.readFloatLE(at) * weightScale;
    if (Number.isNaN(weight)) return snapshot;
    const value = Buffer.from(chunk);
    value.writeFloatLE(Number.NaN, at);
    puts.push({ key: chunkKey, value });
    return { ...snapshot, weightSum: weightSum - weight };
  }

  const snapshots = entry.snapshots.map(clearedIn);
  puts.push(deletedBit(entry, columns, number));
  const embedded = planEmbeddings(embeddings, entry.embeddings);
  embedded?.drop(number);
  return {
    entry: {
      ...entry,
      samples: entry.samples - 1,
      deletions: entry.deletions + 1,
      counts,
      snapshots,
      embeddings: embedded?.state() ?? null,
    },
    write: () => {
      samples.remove(key);
      histories.remove(historyKey(entry, number));
      embedded?.write();
      for (const put of puts) columns.put(put.key, put.value);
    },
    result: true,
  };
}

function deletedBit(
  entry: CountedEntry,
  columns: Environment["columns"],
  number: number,
): { key: Buffer; value: Buffer } {
  const key = columnKey(entry, DELETED_COLUMN, Math.floor(number / DELETED_ENTRIES));
  const place = number % DELETED_ENTRIES;
  const kept = columns.get(key);
  const value = kept === undefined ? Buffer.alloc(DELETED_ENTRIES / 8) : Buffer.from(kept);
  value[place >> 3] = (value[place >> 3] as number) | (0x80 >> (place & 7));
  return { key, value };
}
