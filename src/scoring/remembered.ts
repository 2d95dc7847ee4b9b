import { AssayError } from "../errors.js";
import type { Rankers } from "../ranker/port.js";
import type { DatasetSummary, Store, StoredSample } from "../store/port.js";
import { modelId } from "./keep.js";

/** One sample as the dataset remembers it. */
export interface RememberedSample extends StoredSample {
  readonly id: string;
  /** Scored by another version of its model than the one that is served now, or by a model that is gone. */
  readonly stale: boolean;
}

export interface LookUp {
  readonly dataset: DatasetSummary;
  /** In the order of the ids; null where unknown. */
  readonly samples: readonly (RememberedSample | null)[];
}

interface Ports {
  readonly rankers: Rankers;
  readonly store: Store;
}

/** Many samples by id; throws `dataset_not_found`. */
export async function lookUpSamples(
  { rankers, store }: Ports,
  dataset: string,
  ids: readonly string[],
): Promise<LookUp> {
  const summary = await readDataset(store, dataset);
  const found = await store.readSamples(dataset, ids);
  const isStale = staleness(rankers);
  return {
    dataset: summary,
    samples: found.map((sample, index) =>
      sample === null ? null : { ...sample, id: ids[index] as string, stale: isStale(sample.record.model) },
    ),
  };
}

/** One sample; throws `dataset_not_found`, `sample_not_found`. */
export async function readSample(
  ports: Ports,
  dataset: string,
  id: string,
): Promise<LookUp & { sample: RememberedSample }> {
  const lookUp = await lookUpSamples(ports, dataset, [id]);
  const sample = lookUp.samples[0];
  if (sample === null || sample === undefined) {
    throw sampleNotFound(dataset, id);
  }
  return { ...lookUp, sample };
}

/** Forgets one sample; throws `dataset_not_found`, `sample_not_found`. */
export async function deleteSample(store: Store, dataset: string, id: string): Promise<void> {
  if (await store.deleteSample(dataset, id)) return;
  await readDataset(store, dataset);
  throw sampleNotFound(dataset, id);
}

/** What is known of a dataset as a whole; throws `dataset_not_found`. */
export async function readDataset(store: Store, dataset: string): Promise<DatasetSummary> {
  const summary = await store.readDataset(dataset);
  if (summary === null) throw datasetNotFound(dataset);
  return summary;
}

/** Forgets a dataset with its samples and snapshots; throws `dataset_not_found`. */
export async function deleteDataset(store: Store, dataset: string): Promise<void> {
  if (!(await store.deleteDataset(dataset))) {
    throw datasetNotFound(dataset);
  }
}

/** Tells whether a remembered `name@version` is another than the one served now; each model is asked once. */
export function staleness(rankers: Rankers): (model: string) => boolean {
  const current = new Set(rankers.describe().map(modelId));
  return (model) => !current.has(model);
}

function datasetNotFound(dataset: string): AssayError {
  return new AssayError("dataset_not_found", { detail: `No dataset is named ${JSON.stringify(dataset)}` });
}

function sampleNotFound(dataset: string, id: string): AssayError {
  return new AssayError("sample_not_found", {
    detail: `Dataset ${dataset} has no sample ${JSON.stringify(id)}`,
  });
}
