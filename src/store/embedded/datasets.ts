import { keptEmbeddings } from "../codec/embeddings-state.js";
import { samplesByModel, samplesBySource } from "../codec/shape.js";
import { snapshotInfo } from "../codec/snapshot.js";
import type { SummaryStore } from "../dataset-port.js";
import type { DatasetSummary } from "../dataset-records.js";
import type { Lifetime } from "../lifetime.js";
import type { DatasetEntries } from "./dataset-entries.js";
import { type DatasetEntry, newestSnapshot } from "./dataset-entry.js";
import type { Environment } from "./environment.js";

/**
 * Lists, reads and deletes datasets. A deletion takes effect when the dataset's entry is removed.
 *
 * @param purge removes the samples that deletions have left behind
 */
export function openDatasets(
  { doomed }: Pick<Environment, "doomed">,
  datasets: DatasetEntries,
  { run }: Lifetime,
  purge: () => void,
): SummaryStore {
  function doom({ incarnation, embeddings }: DatasetEntry): void {
    doomed.put(incarnation, Buffer.of(1));
    if (embeddings !== null) doomed.put(Buffer.from(embeddings.life, "hex"), Buffer.of(1));
  }

  async function summary(dataset: string, entry: DatasetEntry): Promise<DatasetSummary> {
    const { createdAtMs, updatedAtMs } = entry;
    const shapes = datasets.shapes(entry);
    const counts = await datasets.counts(entry);
    const snapshot = newestSnapshot(entry);
    return {
      dataset,
      samples: entry.samples,
      createdAtMs,
      updatedAtMs,
      samplesByModel: samplesByModel(shapes, counts),
      samplesBySource: samplesBySource(shapes, counts),
      snapshot: snapshot && snapshotInfo(snapshot),
      embeddings: entry.embeddings && keptEmbeddings(entry.embeddings),
      hashedIds: entry.hashedIds,
    };
  }

  return {
    listDatasets: (cursor, limit) =>
      run(async () => {
        const name = cursor === null ? null : Buffer.from(cursor, "base64url").toString("utf8");
        const found = datasets.list(name, limit + 1);
        const items = await Promise.all(
          found.slice(0, limit).map(({ dataset, entry }) => summary(dataset, entry)),
        );
        const last = found.length > limit ? items.at(-1) : undefined;
        return { items, cursor: last === undefined ? null : Buffer.from(last.dataset).toString("base64url") };
      }),

    readDataset: (dataset) =>
      run(() => {
        const entry = datasets.read(dataset);
        return entry === null ? null : summary(dataset, entry);
      }),

    deleteDataset: (dataset) =>
      run(async () => {
        const deleted = await datasets.change(dataset, (entry) =>
          entry === null ? null : { entry: null, write: () => doom(entry), result: true },
        );
        purge();
        return deleted ?? false;
      }),
  };
}
