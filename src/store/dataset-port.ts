import type {
  DatasetSummary,
  EmbeddingOrigin,
  EmbeddingSettings,
  LookedUp,
  MergedLogits,
  Page,
  SampleHistory,
  SampleRecord,
  ScannedEmbeddings,
  ScannedSamples,
  SnapshotInfo,
  StoredSample,
  TrainingCheckpoint,
} from "./dataset-records.js";

/** What becomes of a sample that is written again: the record to keep. Has no side effects. */
export type MergeRecords = (old: SampleRecord, fresh: SampleRecord) => SampleRecord;

/** A sample to write, with the logits (K) that the writing's checkpoint gave to it; absent if the writing has no checkpoint. */
export interface SampleEntry {
  readonly id: string;
  readonly record: SampleRecord;
  readonly logits?: readonly number[];
}

/**
 * Samples to write, by index: a list, or a view of columns that makes an entry each time it is asked. A batch of thousands then
 * does not hold an object for each sample.
 */
export interface SampleEntries {
  readonly length: number;
  at(index: number): SampleEntry | undefined;
}

/** The samples of datasets, by id. */
export interface SampleStore {
  /**
   * Writes all entries or none. The first sample of a dataset creates the dataset. If an id occurs twice, the last entry counts.
   * Throws `shapes_full` if the dataset would have more than `SHAPES_MAX` shapes, or too many names of signals.
   *
   * @param merge decides what to keep of an id that the dataset has; by default the new record alone
   * @param history what becomes of the samples' histories; without it they stay as they are. Throws `checkpoint_conflict` if the
   *   dataset knows the checkpoint with another step, and `checkpoints_full` if it has `CHECKPOINTS_MAX` others
   */
  writeSamples(
    dataset: string,
    entries: SampleEntries,
    merge?: MergeRecords,
    history?: HistoryRules,
  ): Promise<WrittenSamples>;
  /**
   * Weights and signals of many ids, from one state of the dataset; null if the dataset is unknown.
   *
   * @param snapshot version of the snapshot of the weights; by default the newest. Throws `snapshot_not_found` if it is not kept
   */
  lookUp(dataset: string, ids: readonly string[], snapshot?: number): Promise<LookedUp | null>;
  /**
   * The samples in the order of `ids`; null if the dataset or the id is unknown. `weight` comes from the newest snapshot.
   *
   * @param form of the ids; by default `given`
   */
  readSamples(dataset: string, ids: readonly string[], form?: IdForm): Promise<(StoredSample | null)[]>;
  /** Removes the record, its history, its embedding and its weights in all snapshots. False if there was no record. */
  deleteSample(dataset: string, id: string): Promise<boolean>;
  /**
   * Every sample once, in chunks, in any order. Samples that are written during the scan may or may not appear. The scan ends
   * early if the dataset is deleted.
   *
   * @param snapshot version of the snapshot whose weights the chunks have; absent: none. Throws `snapshot_not_found` if it is not
   *   kept, or no longer
   */
  scanSamples(dataset: string, snapshot?: number): AsyncIterable<ScannedSamples>;
}

/** What a writing does with the histories of its samples. The functions have no side effects. */
export interface HistoryRules {
  /** The checkpoint that gave the entries' logits; null if the writing adds none. */
  readonly checkpoint: TrainingCheckpoint | null;
  /** Adds the logits (K) of the next checkpoint to the sums; null if they are the first. */
  readonly merge: (merged: MergedLogits | null, logits: readonly number[]) => MergedLogits;
  /** The record, with the signals of its history under its label. It is called for every sample with a history. */
  readonly withSignals: (record: SampleRecord, history: SampleHistory) => SampleRecord;
}

export interface WrittenSamples {
  /** Samples that have already merged a checkpoint of this step or a later one. Their histories are as they were. */
  readonly late: number;
}

/** A dataset's checkpoints, and histories of its samples. */
export interface FoundHistories {
  /** In the order in which they first came. */
  readonly checkpoints: readonly TrainingCheckpoint[];
  /** (N) In the order of the ids; null for a sample without a history. */
  readonly histories: readonly (SampleHistory | null)[];
}

/** The logits of samples by checkpoint. `writeSamples` writes them with the samples, and a deletion removes them. */
export interface HistoryStore {
  /**
   * Null if the dataset is unknown.
   *
   * @param form of the ids; by default `given`
   */
  readHistories(dataset: string, ids: readonly string[], form?: IdForm): Promise<FoundHistories | null>;
}

/** Weights of a whole dataset by sample number. */
export interface DatasetWeights {
  /** The life of the dataset to which the numbers belong, as a scan gave it. */
  readonly incarnation: string;
  /** The weight of sample n is `weights[n]`; NaN for no weight. The writer sets the weights of deleted samples to NaN. */
  readonly weights: Float64Array;
  /** How samples that come later get their weights, as the caller gave it; null if they get none. */
  readonly later: string | null;
}

/** A request that a client may repeat without having it done twice. */
export interface RepeatableRequest {
  /** Hex digest of the key that the client gave the request. */
  readonly key: string;
  /** Hex digest of the request. Another request under the same key is refused. */
  readonly body: string;
  /** What the request is answered with beside the snapshot: plain JSON. */
  readonly answer: Readonly<Record<string, unknown>>;
}

/** A repeatable request that was done less than `ANSWERS_KEPT_MS` ago. */
export interface DoneRequest extends Omit<RepeatableRequest, "key"> {
  readonly snapshot: SnapshotInfo;
}

/** The weights of whole datasets. */
export interface SnapshotStore {
  /**
   * Keeps a weighting of the dataset as its newest snapshot. Readers see all of it or none. The newest `SNAPSHOTS_KEPT` stay
   * readable. Samples that were deleted since the scan are left out. Throws `dataset_not_found` if the dataset is gone or has
   * begun another life.
   *
   * @param request kept together with the snapshot. If the same request was done in the meantime, answers its snapshot and keeps
   *   no other; if another one was done under its key, throws `idempotency_conflict`
   */
  writeSnapshot(
    dataset: string,
    weights: DatasetWeights,
    provenance: Readonly<Record<string, unknown>>,
    request?: RepeatableRequest,
  ): Promise<SnapshotInfo>;
  /** The request that was done under this key; null if there was none. Throws `idempotency_conflict` if it had another body. */
  readDoneRequest(
    dataset: string,
    request: Pick<RepeatableRequest, "key" | "body">,
  ): Promise<DoneRequest | null>;
  /** `DatasetWeights.later` of the snapshot; null if it is not kept or has none. */
  readLater(dataset: string, version: number): Promise<string | null>;
  /** The snapshots that are kept, the newest first; null if the dataset is unknown. */
  listSnapshots(dataset: string): Promise<readonly SnapshotInfo[] | null>;
}

/** What a dataset keeps beside the records of its samples. */
export interface DatasetSettings {
  /** Null: no embeddings. */
  readonly embedding: EmbeddingSettings | null;
  /**
   * Whether the dataset keeps keyed hashes (`keptIds`) instead of its samples' ids. All methods take ids as callers know them, and
   * the store hashes them within the same atomic step; scans give the hashes.
   */
  readonly hashedIds: boolean;
}

/** Whether an id is the caller's, or the one that a scan gave. They differ if the dataset hashes its ids. */
export type IdForm = "given" | "kept";

/** The embeddings (N, D) of N samples, all of one origin. */
export interface FreshEmbeddings {
  readonly origin: EmbeddingOrigin;
  readonly ids: readonly string[]; // (N)
  /** (N) Digests of the texts that they are of. */
  readonly textDigests: readonly Buffer[];
  readonly values: Float32Array;
}

export interface WrittenEmbeddings {
  readonly kept: number;
  /** Embeddings that were not kept, because the dataset has no room for them. */
  readonly withoutRoom: number;
}

/**
 * The embeddings of samples, for datasets whose settings ask for them. They are apart from the records, so that a scan of signals
 * does not read them. An embedding goes with its sample, and when the sample gets another text.
 */
export interface EmbeddingStore {
  /**
   * Sets what the dataset keeps, and makes the dataset if there is none. A setting that is absent stays as it is. Without
   * embeddings, or with another type of them, those that are kept are deleted. Throws `dataset_not_empty` for another `hashedIds`
   * while the dataset has samples.
   */
  writeSettings(dataset: string, settings: Partial<DatasetSettings>): Promise<void>;
  /** Null if the dataset is unknown. */
  readSettings(dataset: string): Promise<DatasetSettings | null>;
  /**
   * Keeps embeddings of samples that were written before. Leaves out samples that have another text or are gone, and those that
   * would exceed the room of the dataset. Keeps nothing if the dataset is not to keep embeddings. Can be repeated. Each value is
   * rounded to float16 first, so that a model's output and its record in the cache give the same embedding.
   */
  writeEmbeddings(dataset: string, fresh: FreshEmbeddings): Promise<WrittenEmbeddings>;
  /** Every embedding of the origin that was written last, once, in chunks, as `scanSamples` does. */
  scanEmbeddings(dataset: string): AsyncIterable<ScannedEmbeddings>;
}

/** Lists, reads and deletes datasets. */
export interface SummaryStore {
  /** Ordered by name. */
  listDatasets(cursor: string | null, limit: number): Promise<Page<DatasetSummary>>;
  readDataset(dataset: string): Promise<DatasetSummary | null>;
  /** Removes samples, histories, embeddings and snapshots. Outputs stay, because they belong to no dataset. False if there was no dataset. */
  deleteDataset(dataset: string): Promise<boolean>;
}

/** Datasets with their samples, histories, embeddings and snapshots. */
export interface DatasetStore
  extends SummaryStore,
    SampleStore,
    HistoryStore,
    EmbeddingStore,
    SnapshotStore {}
