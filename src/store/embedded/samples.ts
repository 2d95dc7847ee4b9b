import { decodeHistory } from "../codec/history.js";
import { decodeIntoColumns, decodeStored, storedNumbers } from "../codec/stored.js";
import type { HistoryStore, SampleStore } from "../dataset-port.js";
import type { Lifetime } from "../lifetime.js";
import { lookUpInChunks, type ReadChunk, type SampleView, withWeights } from "../look-up.js";
import { snapshotToRead } from "../snapshot-to-read.js";
import type { WeightColumns } from "../weight-columns.js";
import { columnKey } from "./column-key.js";
import type { DatasetEntries } from "./dataset-entries.js";
import type { DatasetEntry } from "./dataset-entry.js";
import { planDeletion } from "./deletion.js";
import type { Environment } from "./environment.js";
import type { KeptIds } from "./kept-ids.js";
import { historyKey, openSampleKeys, sampleKey } from "./sample-key.js";
import { openScan } from "./scan.js";
import { planWriting } from "./write-samples.js";

interface SamplesNeeds {
  readonly datasets: DatasetEntries;
  readonly weightColumns: WeightColumns;
  readonly keptIds: KeptIds;
}

/** Samples by incarnation and id, or its hash. */
export function openSamples(
  environment: Pick<Environment, "samples" | "histories" | "embeddings" | "columns">,
  { datasets, weightColumns, keptIds }: SamplesNeeds,
  lifetime: Lifetime,
): SampleStore & HistoryStore {
  const { samples, histories, columns } = environment;
  const { run } = lifetime;
  const reusedKey = openSampleKeys();

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
    const keptId = keptIds(dataset, entry);
    return {
      ...viewOf(dataset, entry, version),
      hashedIds: entry.hashedIds,
      decodeInto(into, start) {
        for (const [offset, id] of ids.entries()) {
          const bytes = samples.getBinaryFast(reusedKey(entry, keptId(id)));
          if (bytes !== undefined) decodeIntoColumns(bytes, into, start + offset);
        }
      },
    };
  }

  return {
    writeSamples: (dataset, entries, merge, history) =>
      run(async () => {
        if (entries.length === 0) return { late: 0 };
        const plan = { dataset, environment, datasets, keptIds, entries, merge, history };
        const written = await datasets.change(dataset, (entry) => planWriting(entry, plan));
        return written ?? { late: 0 };
      }),

    readHistories: (dataset, ids, form) =>
      run(() => {
        const entry = datasets.read(dataset);
        if (entry === null) return null;
        const { checkpoints } = entry;
        const keptId = keptIds(dataset, entry, form);
        const found = ids.map((id) => {
          const stored =
            checkpoints.length === 0 ? undefined : samples.getBinaryFast(sampleKey(entry, keptId(id)));
          if (stored === undefined) return null;
          const bytes = histories.getBinaryFast(historyKey(entry, storedNumbers(stored).number));
          return bytes === undefined ? null : decodeHistory(bytes);
        });
        return { checkpoints, histories: found };
      }),

    lookUp: (dataset, ids, version) =>
      run(() => lookUpInChunks(ids, weightColumns, (chunk) => readChunk(dataset, chunk, version))),

    readSamples: (dataset, ids, form) =>
      run(async () => {
        for (;;) {
          const entry = datasets.read(dataset);
          if (entry === null) return ids.map(() => null);
          const view = viewOf(dataset, entry);
          const keptId = keptIds(dataset, entry, form);
          const found = ids.map((id) => {
            const bytes = samples.getBinaryFast(sampleKey(entry, keptId(id)));
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
          (await datasets.change(
            dataset,
            (entry) => entry && planDeletion(environment, entry, keptIds(dataset, entry)(id)),
          )) ?? false,
      ),

    scanSamples: openScan(environment, { datasets, weightColumns, viewOf }, lifetime),
  };
}
