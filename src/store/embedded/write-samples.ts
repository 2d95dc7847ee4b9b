import { decodeHistory } from "../codec/history.js";
import { isSameDigest } from "../codec/sample.js";
import { openShapeTexts, type Shape } from "../codec/shape.js";
import { decodeRecord, storedNumbers, storedTextDigest } from "../codec/stored.js";
import { recount } from "../counted-once.js";
import type {
  HistoryRules,
  MergeRecords,
  SampleEntries,
  SampleEntry,
  WrittenSamples,
} from "../dataset-port.js";
import type { SampleHistory, SampleRecord } from "../dataset-records.js";
import { growHistory, placeCheckpoint } from "../history.js";
import type { Change, CountedEntry, DatasetEntries } from "./dataset-entries.js";
import { newEntry } from "./dataset-entry.js";
import { planEmbeddings } from "./embedding-plan.js";
import type { Environment, Table } from "./environment.js";
import type { KeptIds } from "./kept-ids.js";
import { openPackedRows } from "./packed-rows.js";
import { openHistoryKeys, openSampleKeys } from "./sample-key.js";

/** What to write, and what of the store it needs. */
export interface Writing {
  readonly dataset: string;
  readonly environment: Pick<Environment, "samples" | "histories" | "embeddings">;
  readonly datasets: DatasetEntries;
  readonly keptIds: KeptIds;
  readonly entries: SampleEntries;
  readonly merge: MergeRecords | undefined;
  readonly history: HistoryRules | undefined;
}

/** Plans the writing of samples and their histories. Throws `checkpoint_conflict`, `checkpoints_full` or `shapes_full`. */
export function planWriting(
  found: CountedEntry | null,
  { dataset, environment, datasets, keptIds, entries, merge, history: rules }: Writing,
): Change<WrittenSamples> {
  const { samples, histories, embeddings } = environment;
  const entry = found ?? newEntry(Date.now());
  const keptId = keptIds(dataset, entry);
  const known = datasets.shapes(entry);
  const counts = Array.from({ length: entry.shapes }, (_, shape) => entry.counts[shape] ?? 0);
  const placed = placeCheckpoint(entry.checkpoints, rules?.checkpoint ?? null);
  const hasHistories = rules !== undefined && placed.checkpoints.length > 0;
  const embedded = planEmbeddings(embeddings, entry.embeddings);
  const rows = openPackedRows(entries.length);
  /** The row of each id. An id that comes again is packed into its row again. */
  const rowOf = new Map<string, number>();
  const ids: string[] = []; // as they are kept, by row
  const lateRows = new Set<number>();
  const textOf = openShapeTexts();
  const texts: string[] = [];
  let { numbers } = entry;
  let added = 0;

  function place({ id: given, record, logits }: SampleEntry): void {
    const id = keptId(given);
    const again = rowOf.get(id);
    const row = again ?? ids.length;
    const stored = samples.getBinaryFast(keyOfSample(entry, id));
    const isNew = stored === undefined && again === undefined;
    const head = stored === undefined ? null : storedNumbers(stored);
    if (again === undefined) {
      rowOf.set(id, row);
      ids.push(id);
      if (head === null) added++;
      else recount(counts, head.shape, -1);
    }
    const number = isNew ? numbers++ : (head?.number ?? rows.numberOf(row));
    const old =
      stored === undefined || (merge === undefined && !hasHistories) ? null : recordOf(stored, known);
    const kept = old === null || merge === undefined ? record : merge(old, record);
    if (stored !== undefined && embedded !== null && !isSameDigest(storedTextDigest(stored), kept.textDigest))
      embedded.drop(number);
    if (!hasHistories) {
      pack(row, number, kept);
      return;
    }
    const before = old && { record: old, history: historyAt(histories, keyOfHistory(entry, number)) };
    const grown = growHistory({ record: kept, logits, old: before }, placed, rules);
    pack(row, number, grown.record);
    if (grown.history !== (before?.history ?? null)) rows.packHistory(row, grown.history);
    if (grown.late) lateRows.add(row);
    else lateRows.delete(row);
  }

  function pack(row: number, number: number, record: SampleRecord): void {
    const shape = textOf(record);
    texts[shape.place] = shape.text;
    rows.pack(row, { number, record }, shape);
  }

  for (let index = 0; index < entries.length; index++) place(entries.at(index) as SampleEntry);
  const shapes = datasets.numberShapes(entry, new Set(texts));
  const shapeNumbers = texts.map((text) => shapes.numberOf.get(text) as number);
  const shapeOf = (row: number): number => shapeNumbers[rows.shapeOf(row)] as number;
  // A shape of which an entry was replaced by a later one of the same id may have no sample.
  for (const shape of shapeNumbers) recount(counts, shape, 0);
  for (let row = 0; row < ids.length; row++) recount(counts, shapeOf(row), 1);
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
      for (let row = 0; row < ids.length; row++)
        samples.put(keyOfSample(entry, ids[row] as string), rows.sample(row, shapeOf(row)));
      for (let row = 0; row < ids.length; row++) {
        const history = rows.history(row);
        if (history === undefined) continue;
        const key = keyOfHistory(entry, rows.numberOf(row));
        if (history === null) histories.remove(key);
        else histories.put(key, history);
      }
      embedded?.write();
    },
    result: { late: lateRows.size },
  };
}

function recordOf(stored: Buffer, shapes: readonly Shape[]): SampleRecord {
  return decodeRecord(stored, (number) => shapes[number]);
}

function historyAt(histories: Table, key: Buffer): SampleHistory | null {
  const bytes = histories.getBinaryFast(key);
  return bytes === undefined ? null : decodeHistory(bytes);
}

// A read is over when the next key is made, and a put copies its key.
const keyOfSample = openSampleKeys();
const keyOfHistory = openHistoryKeys();
