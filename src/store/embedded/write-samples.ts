import { decodeHistory, encodeHistory } from "../codec/history.js";
import { encodeSample, isSameDigest } from "../codec/sample.js";
import { openShapeTexts, type Shape } from "../codec/shape.js";
import { decodeRecord, encodeStored, storedNumbers, storedTextDigest } from "../codec/stored.js";
import { recount } from "../counted-once.js";
import type { HistoryRules, MergeRecords, SampleEntry, WrittenSamples } from "../dataset-port.js";
import type { SampleHistory, SampleRecord } from "../dataset-records.js";
import { growHistory, type PlacedCheckpoint, placeCheckpoint, type WrittenSample } from "../history.js";
import type { Change, CountedEntry, DatasetEntries } from "./dataset-entries.js";
import { newEntry } from "./dataset-entry.js";
import { planEmbeddings } from "./embedding-plan.js";
import type { Environment, Table } from "./environment.js";
import { historyKey, sampleKey } from "./sample-key.js";

/** What to write, and what of the store it needs. */
export interface Writing {
  readonly environment: Pick<Environment, "samples" | "histories" | "embeddings">;
  readonly datasets: DatasetEntries;
  readonly fresh: ReadonlyMap<string, SampleEntry>;
  readonly merge: MergeRecords | undefined;
  readonly history: HistoryRules | undefined;
}

/** A sample with its place in the dataset. */
interface Placed {
  readonly key: Buffer;
  readonly number: number;
  readonly record: SampleRecord;
}

/** Plans the writing of samples and their histories. Throws `checkpoint_conflict`, `checkpoints_full` or `shapes_full`. */
export function planWriting(
  found: CountedEntry | null,
  { environment: { samples, histories, embeddings }, datasets, fresh, merge, history: rules }: Writing,
): Change<WrittenSamples> {
  const entry = found ?? newEntry(Date.now());
  const known = datasets.shapes(entry);
  const counts = Array.from({ length: entry.shapes }, (_, shape) => entry.counts[shape] ?? 0);
  const placed = placeCheckpoint(entry.checkpoints, rules?.checkpoint ?? null);
  const hasHistories = rules !== undefined && placed.checkpoints.length > 0;
  const historyPuts: HistoryPut[] = [];
  const embedded = planEmbeddings(embeddings, entry.embeddings);
  let { numbers } = entry;
  let added = 0;
  let late = 0;

  function place({ id, record, logits }: SampleEntry): Placed {
    const key = sampleKey(entry, id);
    const stored = samples.getBinaryFast(key);
    if (stored === undefined) added++;
    else recount(counts, storedNumbers(stored).shape, -1);
    const number = stored === undefined ? numbers++ : storedNumbers(stored).number;
    const old =
      stored === undefined || (merge === undefined && !hasHistories) ? null : recordOf(stored, known);
    const kept = old === null || merge === undefined ? record : merge(old, record);
    if (stored !== undefined && embedded !== null && !isSameDigest(storedTextDigest(stored), kept.textDigest))
      embedded.drop(number);
    if (!hasHistories) return { key, number, record: kept };
    const ofHistory = historyKey(entry, number);
    const before = old && { record: old, history: historyAt(histories, ofHistory) };
    return { key, number, record: grow({ record: kept, logits, old: before }, ofHistory, placed, rules) };
  }

  function grow(
    sample: WrittenSample,
    key: Buffer,
    checkpoint: PlacedCheckpoint,
    historyRules: HistoryRules,
  ): SampleRecord {
    const grown = growHistory(sample, checkpoint, historyRules);
    if (grown.late) late++;
    const before = sample.old?.history ?? null;
    if (grown.history !== before) historyPuts.push({ key, history: grown.history });
    return grown.record;
  }

  const kept = [...fresh.values()].map(place);
  const textOf = openShapeTexts();
  const texts = kept.map(({ record }) => textOf(record));
  const shapes = datasets.numberShapes(entry, new Set(texts.map(({ text }) => text)));
  const puts = kept.map(({ key, number, record }, index) => {
    const { text, signals } = texts[index] as (typeof texts)[number];
    const shape = shapes.numberOf.get(text) as number;
    recount(counts, shape, 1);
    return { key, value: encodeStored(number, shape, encodeSample(record, signals)) };
  });
  const { checkpoints } = placed;
  return {
    entry: {
      ...entry,
      samples: entry.samples + added,
      numbers,
      shapes: shapes.shapes,
      counts,
      checkpoints,
      embeddings: embedded?.state() ?? null,
    },
    write: () => {
      shapes.write();
      for (const { key, value } of puts) samples.put(key, value);
      for (const { key, history } of historyPuts) {
        if (history === null) histories.remove(key);
        else histories.put(key, encodeHistory(history));
      }
      embedded?.write();
    },
    result: { late },
  };
}

interface HistoryPut {
  readonly key: Buffer;
  /** Null removes it. */
  readonly history: SampleHistory | null;
}

function recordOf(stored: Buffer, shapes: readonly Shape[]): SampleRecord {
  return decodeRecord(stored, (number) => shapes[number]);
}

function historyAt(histories: Table, key: Buffer): SampleHistory | null {
  const bytes = histories.getBinaryFast(key);
  return bytes === undefined ? null : decodeHistory(bytes);
}
