import { encodeSample } from "../codec/sample.js";
import { parseShape, shapeText } from "../codec/shape.js";
import { decodeIntoColumns, decodeStored, encodeStored, storedNumbers } from "../codec/stored.js";
import { recount } from "../counted-once.js";
import type { Lifetime } from "../lifetime.js";
import { lookUpInChunks, type ReadChunk, type SampleView, withWeights } from "../look-up.js";
import type { MergeRecords, SampleRecord, SampleStore } from "../port.js";
import { snapshotToRead } from "../snapshot-to-read.js";
import type { WeightColumns } from "../weight-columns.js";
import { columnKey } from "./column-key.js";
import type { Change, CountedEntry, DatasetEntries } from "./dataset-entries.js";
import { type DatasetEntry, newEntry } from "./dataset-entry.js";
import { planDeletion } from "./deletion.js";
import type { Environment } from "./environment.js";
import { openSampleKeys, sampleKey } from "./sample-key.js";
import { openScan } from "./scan.js";

/** Samples by incarnation and id. */
export function openSamples(
  environment: Pick<Environment, "samples" | "columns">,
  datasets: DatasetEntries,
  weightColumns: WeightColumns,
  lifetime: Lifetime,
): SampleStore {
  const { samples, columns } = environment;
  const { run } = lifetime;
  const reusedKey = openSampleKeys();

  function planWriting(
    found: CountedEntry | null,
    fresh: ReadonlyMap<string, SampleRecord>,
    merge: MergeRecords | undefined,
  ): Change<undefined> {
    const entry = found ?? newEntry(Date.now());
    const known = datasets.shapes(entry);
    const counts = Array.from({ length: entry.shapes }, (_, shape) => entry.counts[shape] ?? 0);
    let { numbers } = entry;
    let added = 0;
    const kept = [...fresh].map(([id, record]) => {
      const key = sampleKey(entry, id);
      const old = samples.getBinaryFast(key);
      if (old === undefined) {
        added++;
        return { key, number: numbers++, record };
      }
      const { number, shape } = storedNumbers(old);
      recount(counts, shape, -1);
      if (merge === undefined) return { key, number, record };
      return { key, number, record: merge(decodeStored(old, (each) => known[each], null).record, record) };
    });
    const texts = kept.map(({ record }) => shapeText(record));
    const shapes = datasets.numberShapes(entry, new Set(texts));
    const puts = kept.map(({ key, number, record }, index) => {
      const text = texts[index] as string;
      const shape = shapes.numberOf.get(text) as number;
      recount(counts, shape, 1);
      return { key, value: encodeStored(number, shape, encodeSample(record, parseShape(text).signals)) };
    });
    return {
      entry: { ...entry, samples: entry.samples + added, numbers, shapes: shapes.shapes, counts },
      write: () => {
        shapes.write();
        for (const { key, value } of puts) samples.put(key, value);
      },
      result: undefined,
    };
  }

  /** @param version of the snapshot to read; absent: the newest; null: none */
  function viewOf(dataset: string, entry: DatasetEntry, version?: number | null): SampleView {
    return {
      incarnation: entry.incarnation.toString("hex"),
      shapes: datasets.shapes(entry),
      snapshot: version === null ? null : snapshotToRead(dataset, entry.snapshots, version),
      loadChunks: async (column, chunks) =>
        chunks.map((chunk) => columns.get(columnKey(entry, column.id, chunk)) ?? null),
    };
  }

  async function readChunk(
    dataset: string,
    ids: readonly string[],
    version: number | undefined,
  ): Promise<ReadChunk | null> {
    const entry = datasets.read(dataset);
    if (entry === null) return null;
    return {
      ...viewOf(dataset, entry, version),
      decodeInto(into, start) {
        for (const [offset, id] of ids.entries()) {
          const bytes = samples.getBinaryFast(reusedKey(entry, id));
          if (bytes !== undefined) decodeIntoColumns(bytes, into, start + offset);
        }
      },
    };
  }

  return {
    writeSamples: (dataset, entries, merge) =>
      run(async () => {
        if (entries.length === 0) return;
        // If an id occurs twice, the last entry counts.
        const fresh = new Map(entries.map(({ id, record }) => [id, record]));
        await datasets.change(dataset, (entry) => planWriting(entry, fresh, merge));
      }),

    lookUp: (dataset, ids, version) =>
      run(() => lookUpInChunks(ids, weightColumns, (chunk) => readChunk(dataset, chunk, version))),

    readSamples: (dataset, ids) =>
      run(async () => {
        for (;;) {
          const entry = datasets.read(dataset);
          if (entry === null) return ids.map(() => null);
          const view = viewOf(dataset, entry);
          const found = ids.map((id) => {
            const bytes = samples.getBinaryFast(sampleKey(entry, id));
            return bytes === undefined
              ? null
              : decodeStored(bytes, (number) => view.shapes[number], view.snapshot);
          });
          const weighed = await withWeights(found, weightColumns, view);
          if (weighed !== "changed") return weighed;
        }
      }),

    deleteSample: (dataset, id) =>
      run(
        async () =>
          (await datasets.change(dataset, (entry) => planDeletion(environment, entry, id))) ?? false,
      ),

    scanSamples: openScan(environment, { datasets, weightColumns, viewOf }, lifetime),
  };
}
