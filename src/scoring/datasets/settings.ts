import type { DatasetSettings, DatasetStore } from "../../store/dataset-port.js";
import type { DatasetSummary, EmbeddingSettings } from "../../store/dataset-records.js";
import { readDataset } from "./remembered.js";

/** How embeddings are kept by default. */
export const EMBEDDING_DEFAULTS: EmbeddingSettings = { type: "int8", bytesMax: 2 ** 30 };

/** Most bytes that the embeddings of a dataset may be allowed: a selection holds them in memory. */
export const EMBEDDING_BYTES_MAX = 2 ** 31;

/**
 * Sets what a dataset keeps, and makes the dataset if there is none. Settings that are absent stay as they are. Answers the
 * dataset as it is then. Throws `dataset_not_empty` for another `hashedIds` while the dataset has samples.
 */
export async function setDataset(
  store: DatasetStore,
  dataset: string,
  settings: Partial<DatasetSettings>,
): Promise<DatasetSummary> {
  await store.writeSettings(dataset, settings);
  return readDataset(store, dataset);
}
