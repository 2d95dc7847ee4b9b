import { AssayError } from "../../errors.js";
import { modelId, type Rankers } from "../../ranker/port.js";
import type {
  DatasetStore,
  FoundHistories,
  IdForm,
  SnapshotStore,
  SummaryStore,
} from "../../store/dataset-port.js";
import type {
  DatasetSummary,
  LookedUp,
  SampleShape,
  SnapshotInfo,
  StoredSample,
  TrainingCheckpoint,
} from "../../store/dataset-records.js";
import type { OutputsStore } from "../../store/port.js";
import { keptIds } from "../../text/kept-ids.js";
import type { Ports } from "../ports.js";
import { logitsAt } from "./keep.js";
import { fillLaterWeights, readLaterWeighing, weightOfLater } from "./later.js";

/** One sample as the dataset remembers it. */
export interface RememberedSample extends StoredSample {
  readonly id: string;
  /** What lists and exports call the sample; null if the dataset keeps ids as they are, or `id` is that already. */
  readonly keptId: string | null;
  /** True if the sample was scored by a version of its model that is not served now, or by a model that no longer exists. */
  readonly stale: boolean;
  /** True if the sample came after the snapshot, and its weight is computed by the snapshot's normaliser. */
  readonly later: boolean;
}

/** The logits of a sample by checkpoint. */
export interface RememberedHistory {
  /** In the order of their steps. */
  readonly checkpoints: readonly (TrainingCheckpoint & { readonly logits: readonly number[] })[];
  /** The checkpoints before these, of which only sums are kept. */
  readonly merged: { readonly checkpoints: number; readonly through: TrainingCheckpoint } | null;
}

/** Many samples' weights and signals, in columns. */
export interface LookUp extends LookedUp {
  /** For each shape: whether its samples were scored by a version of its model that is not served now. */
  readonly staleShapes: readonly boolean[];
  /** (N) 1 for a sample that came after the snapshot and has a weight by its normaliser; null if there is none. */
  readonly later: Uint8Array | null;
  /** Makes what lists and exports have instead of an id; null if the dataset keeps ids as they are. */
  readonly keptId: ((id: string) => string) | null;
}

/**
 * Weights and signals by id. Throws `dataset_not_found`, and `snapshot_not_found` if the dataset keeps no such snapshot.
 *
 * @param snapshot version of the snapshot of the weights; by default the newest
 */
export async function lookUpSamples(
  { rankers, store }: Ports,
  dataset: string,
  ids: readonly string[],
  snapshot?: number,
): Promise<LookUp> {
  const found = await store.lookUp(dataset, ids, snapshot);
  if (found === null) throw datasetNotFound(dataset);
  const later = await fillLaterWeights(store, dataset, ids, found);
  const isStale = staleness(rankers);
  const keptId = await hashOfIds(store, { dataset, hashedIds: found.hashedIds });
  return { ...found, later, keptId, staleShapes: found.shapes.map(isStale) };
}

/** One sample. Throws `dataset_not_found` or `sample_not_found`. */
export async function readSample(
  { rankers, store }: Ports,
  dataset: string,
  id: string,
): Promise<{ dataset: DatasetSummary; sample: RememberedSample; history: RememberedHistory | null }> {
  const { dataset: summary, samples } = await readSamples({ rankers, store }, dataset, [id]);
  const [sample] = samples;
  if (sample === undefined) throw sampleNotFound(summary, id);
  const history = rememberedHistory(await store.readHistories(dataset, [id]));
  return { dataset: summary, sample, history };
}

/**
 * The samples of these ids that the dataset has, in their order. Throws `dataset_not_found`.
 *
 * @param form `kept` for ids that a reading of the whole dataset gave
 */
export async function readSamples(
  { rankers, store }: Ports,
  dataset: string,
  ids: readonly string[],
  form: IdForm = "given",
): Promise<{ dataset: DatasetSummary; samples: RememberedSample[] }> {
  const summary = await readDataset(store, dataset);
  const read = await store.readSamples(dataset, ids, form);
  const keptId = form === "kept" ? null : await hashOfIds(store, summary);
  const found = read.flatMap((each, at) => {
    const id = ids[at] as string;
    return each === null ? [] : [{ ...each, id, keptId: keptId?.(id) ?? null }];
  });
  const lacks = found.some(({ weight }) => weight === null);
  const weighing =
    lacks && summary.snapshot !== null
      ? await readLaterWeighing(store, dataset, summary.snapshot.version)
      : null;
  const isStale = staleness(rankers);
  const samples = found.map((sample) => {
    const stale = isStale(sample.record);
    if (weighing === null || sample.weight !== null) return { ...sample, stale, later: false };
    const { signals, label } = sample.record;
    const weight = weightOfLater(weighing, { value: (name) => signals.get(name), label });
    return { ...sample, stale, weight, later: weight !== null };
  });
  return { dataset: summary, samples };
}

function rememberedHistory(found: FoundHistories | null): RememberedHistory | null {
  const history = found?.histories[0] ?? null;
  if (found === null || history === null) return null;
  const { classes, checkpoints, logits, merged } = history;
  const checkpointOf = (number: number): TrainingCheckpoint =>
    found.checkpoints[number] as TrainingCheckpoint;
  return {
    checkpoints: checkpoints.map((number, index) => ({
      ...checkpointOf(number),
      logits: logitsAt(logits, index, classes),
    })),
    merged: merged && { checkpoints: merged.count, through: checkpointOf(merged.through) },
  };
}

/** Deletes one sample. Throws `dataset_not_found` or `sample_not_found`. */
export async function deleteSample(store: DatasetStore, dataset: string, id: string): Promise<void> {
  if (await store.deleteSample(dataset, id)) return;
  throw sampleNotFound(await readDataset(store, dataset), id);
}

/**
 * A function that makes what lists, selections and exports of the dataset have instead of an id: its keyed hash. Null if the dataset
 * keeps ids as they are.
 */
export async function hashOfIds(
  store: Pick<OutputsStore, "digestKey">,
  { dataset, hashedIds }: Pick<DatasetSummary, "dataset" | "hashedIds">,
): Promise<((id: string) => string) | null> {
  return hashedIds ? keptIds(await store.digestKey(), dataset) : null;
}

/** The summary of a dataset. Throws `dataset_not_found`. */
export async function readDataset(store: SummaryStore, dataset: string): Promise<DatasetSummary> {
  const summary = await store.readDataset(dataset);
  if (summary === null) throw datasetNotFound(dataset);
  return summary;
}

/**
 * Throws `dataset_not_found` if the dataset has been deleted since its summary was read, also if it has begun anew. Long readings call
 * it at their end, because a scan of a dataset that is deleted meanwhile ends like any other.
 */
export async function requireSameDataset(
  store: SummaryStore,
  { dataset, createdAtMs }: Pick<DatasetSummary, "dataset" | "createdAtMs">,
): Promise<void> {
  const now = await store.readDataset(dataset);
  if (now?.createdAtMs !== createdAtMs)
    throw new AssayError("dataset_not_found", {
      detail: `Dataset ${JSON.stringify(dataset)} was deleted while it was read`,
    });
}

/** The snapshots that are kept, the newest first. Throws `dataset_not_found`. */
export async function listSnapshots(store: SnapshotStore, dataset: string): Promise<readonly SnapshotInfo[]> {
  const snapshots = await store.listSnapshots(dataset);
  if (snapshots === null) throw datasetNotFound(dataset);
  return snapshots;
}

/** Deletes a dataset with its samples and snapshots. Throws `dataset_not_found`. */
export async function deleteDataset(store: SummaryStore, dataset: string): Promise<void> {
  if (!(await store.deleteDataset(dataset))) {
    throw datasetNotFound(dataset);
  }
}

/**
 * A function that tells whether the model that scored a sample is not served. It compares with the models that are served now.
 * Outputs that a trainer observed are never stale, because no model of the service gave them.
 */
export function staleness(rankers: Rankers): (scored: Pick<SampleShape, "model" | "observed">) => boolean {
  const current = new Set(servedModels(rankers));
  return ({ model, observed }) => observed === null && !current.has(model);
}

/** The models that are served now: `name@version`. */
export function servedModels(rankers: Rankers): string[] {
  return rankers.describe().map(modelId);
}

export function datasetNotFound(dataset: string): AssayError {
  return new AssayError("dataset_not_found", { detail: `No dataset is named ${JSON.stringify(dataset)}` });
}

/** An id that the dataset would not keep is not said either. */
function sampleNotFound({ dataset, hashedIds }: DatasetSummary, id: string): AssayError {
  const named = hashedIds ? "with this id" : JSON.stringify(id);
  return new AssayError("sample_not_found", { detail: `Dataset ${dataset} has no sample ${named}` });
}
