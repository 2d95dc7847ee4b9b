/** Key of an outputs record: 16 bytes of a keyed digest of everything that decides the outputs. */
export type OutputsKey = Buffer;

/**
 * Parts that an outputs record may have, for K logits and H features: `gram` (K, K) ⟨∇z_k, ∇z_l⟩; `tangent` (K) ⟨∇z_k, v⟩ along
 * the direction whose digest is in the key; `features` (H), the last layer's input h, kept as float16.
 */
export const OUTPUTS_PARTS = ["gram", "tangent", "features"] as const;
export type OutputsPart = (typeof OUTPUTS_PARTS)[number];

/**
 * The model's outputs for one text, without its label. Each record comes from one graph and lacks the parts that this graph does
 * not give. The store may evict it. A record with more parts may replace one with fewer.
 */
export interface OutputsRecord extends Readonly<Partial<Record<OutputsPart, Float32Array>>> {
  /** (K) logits. */
  readonly logits: Float32Array;
  /** ‖h‖² of the last layer's input. */
  readonly featureNormSquared: number;
  /** Whether the text was longer than the model's limit and was cut. */
  readonly truncated: boolean;
}

/** A sample's label as it was posted: a number, K probabilities, or null. */
export type StoredLabel = number | readonly number[] | null;

/**
 * The record of one sample of a dataset: its newest scoring. It is durable. What many samples have in common is kept once per
 * dataset (see `SampleShape`), so it takes only a few bytes in a record.
 */
export interface SampleRecord extends Omit<SampleShape, "signals"> {
  /** Null if Assay did not run a model on the text. */
  readonly outputsKey: OutputsKey | null;
  /** 6 bytes of a keyed digest of the text, which do not depend on the model; null if unknown. */
  readonly textDigest: Buffer | null;
  readonly label: StoredLabel;
  /**
   * The query of pairwise and listwise losses: 8 bytes of a keyed digest in hex. A record that version 1a1e855 wrote has the
   * group itself.
   */
  readonly group: string | null;
  /** Signal name → value in float32; NaN never occurs. A kept extra has the name `extras.NAME`. */
  readonly signals: ReadonlyMap<string, number>;
  /** Milliseconds since the epoch. */
  readonly scoredAtMs: number;
}

/**
 * Signals by name, as a map over two lists. Many rows share one list of names. A `Map` for each of a batch's samples takes longer to
 * make than all else that a writing does.
 */
export class SignalRow implements ReadonlyMap<string, number> {
  /** @param numbers in the order of the names, which are unique */
  constructor(
    readonly names: readonly string[],
    readonly numbers: readonly number[],
  ) {}
  get size(): number {
    return this.names.length;
  }
  get(name: string): number | undefined {
    return this.numbers[this.names.indexOf(name)];
  }
  has(name: string): boolean {
    return this.names.includes(name);
  }
  keys() {
    return this.names.values();
  }
  values() {
    return this.numbers.values();
  }
  *entries(): Generator<[string, number], undefined> {
    for (const [index, name] of this.names.entries()) yield [name, this.numbers[index] as number];
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  forEach(each: (value: number, name: string, map: ReadonlyMap<string, number>) => void): void {
    for (const [name, value] of this) each(value, name, this);
  }
}

/** A sample in the store. */
export interface StoredSample {
  readonly record: SampleRecord;
  /**
   * The sample's weight in the newest snapshot, to 7 digits. All weights of the snapshot together have the given sum in float64.
   * Null before the first snapshot, and if the sample was written after the snapshot.
   */
  readonly weight: number | null;
}

export interface DatasetSummary {
  readonly dataset: string;
  readonly samples: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** The models that scored its present samples (`name@version`), with the number of these samples. */
  readonly samplesByModel: ReadonlyMap<string, number>;
  /** The sources of its present samples, with their numbers. Samples without a source are left out. */
  readonly samplesBySource: ReadonlyMap<string, number>;
  /** The newest snapshot; null before the first. */
  readonly snapshot: SnapshotInfo | null;
}

/** Provenance of one weighting of a whole dataset. */
export interface SnapshotInfo {
  /** 1, 2, 3, … within the dataset. */
  readonly version: number;
  readonly createdAtMs: number;
  /** Number of samples weighed. */
  readonly samples: number;
  /**
   * Sum of the weights of its samples that are still there. The weights of a snapshot never change, so a deletion lowers the sum.
   * Null for a snapshot of version 1a1e855, which did not keep it.
   */
  readonly weightSum: number | null;
  /** How the weights were made (signal, scheme, parameters, model, loss, diagnostics), as the caller gave it. */
  readonly provenance: Readonly<Record<string, unknown>>;
}

/** What many samples of a dataset have in common. */
export interface SampleShape {
  /** The model that scored them: `name@version`, or the name under which a trainer posted outputs. */
  readonly model: string;
  /** The loss with which the signals were computed. */
  readonly loss: string;
  /** The precision of the model's run; null if unknown. */
  readonly precision: string | null;
  /** Names of the directions along which signals were measured, in the caller's form; may be empty. */
  readonly directions: readonly string[];
  /** Where they came from: a crawl, a click log, an annotator. At most 64 bytes. */
  readonly source: string | null;
  /** The mode of the model in the trainer that posted the outputs; null if Assay ran the model. */
  readonly observed: "train" | "eval" | null;
  /** Signals that an earlier scoring computed with another model: signal → `name@version`. */
  readonly earlier: ReadonlyMap<string, string>;
  /** Sorted. */
  readonly signals: readonly string[];
}

/** Weights and signals of N ids in columns, so that a look-up of thousands does not make an object for each. */
export interface LookedUp {
  /** The snapshot of the weights; null before the first. */
  readonly snapshot: SnapshotInfo | null;
  /** The shapes of the dataset. */
  readonly shapes: readonly SampleShape[];
  /** (N) For each id the index of its sample's shape in `shapes`; −1 if the id is unknown. */
  readonly shapeOf: Int32Array;
  /** (N) `StoredSample.weight`; NaN instead of null. */
  readonly weights: Float64Array;
  /**
   * (N, S) row-major. S is the number of signals of the longest shape. A row holds its shape's signals in their order, then NaN.
   */
  readonly signals: Float32Array;
  /** S. */
  readonly signalsMax: number;
}

/**
 * `loss_gradient`: the mean of ∇ℓ over samples. `mean_direction`: E[I], the mean of I = ∇ℓ/‖∇ℓ‖, with I = 0 where ∇ℓ = 0.
 */
export const DIRECTION_KINDS = ["loss_gradient", "mean_direction"] as const;
export type DirectionKind = (typeof DIRECTION_KINDS)[number];

/** The description of a direction, without its vector. */
export interface DirectionFacts {
  readonly name: string;
  readonly kind: DirectionKind;
  /** The model with which it was made. */
  readonly model: { readonly name: string; readonly version: string };
  /** Hex digest of the weights with which it was made. It is not valid for other weights. */
  readonly weightsDigest: string;
  /** The gradient scope of the model with which it was made. It is not valid for another. */
  readonly gradientScope: string;
  readonly loss: string;
  /** Number of samples over which it is the mean, including those with a zero gradient. */
  readonly samples: number;
  readonly zeroGradients: number;
  /** ‖v‖, computed from the sums in float64. */
  readonly norm: number;
}

/** A direction in the store. */
export interface DirectionInfo extends DirectionFacts {
  /** SHA-256 of the vector's bytes, hex. */
  readonly digest: string;
  /** Bytes of the vector: four for each parameter of the gradient scope. */
  readonly bytes: number;
  readonly createdAtMs: number;
}

/** A page of a list. Pass `cursor` to get the next page; null means that this is the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor: string | null;
}

/** Says how durable an acknowledged write is, for `/readyz` and the log. */
export interface StoreStatus {
  readonly kind: "embedded" | "redis";
  readonly durability: string;
}

/** The models' outputs for texts, by content. */
export interface OutputsStore {
  /** Key of the digests under which outputs are kept: 32 bytes. It is made once and shared by all services that use the store. */
  digestKey(): Promise<Buffer>;
  /** The records in the order of `keys`; null if unknown. */
  readOutputs(keys: readonly OutputsKey[]): Promise<(OutputsRecord | null)[]>;
  /**
   * Idempotent, because the same key always has the same record, or one with more parts. Resolves when the records are kept. This
   * process can read them as soon as it has called this.
   */
  writeOutputs(entries: readonly { key: OutputsKey; record: OutputsRecord }[]): Promise<void>;
}

/** What becomes of a sample that is written again: the record to keep. Has no side effects. */
export type MergeRecords = (old: SampleRecord, fresh: SampleRecord) => SampleRecord;

/** Samples that a scan has read, in columns. */
export interface ScannedSamples {
  /** Name of the life of the dataset to which the numbers belong. */
  readonly incarnation: string;
  readonly count: number; // N
  readonly shapes: readonly SampleShape[];
  /** (N) Index of each sample's shape in `shapes`. */
  readonly shapeOf: Int32Array;
  /** (N) Numbers of the samples within the dataset: at least 0, unique, given in ascending order and never given again. */
  readonly numbers: Uint32Array;
  /** (N) Weights in the snapshot that the scan was asked for, as in `LookedUp`; all NaN if it was asked for none. */
  readonly weights: Float64Array;
  /** (N, S) as in `LookedUp`. */
  readonly signals: Float32Array;
  readonly signalsMax: number; // S
  id(index: number): string;
  label(index: number): StoredLabel;
  record(index: number): SampleRecord;
}

/** A sample to write, with the logits (K) that the writing's checkpoint gave to it; absent if the writing has no checkpoint. */
export interface SampleEntry {
  readonly id: string;
  readonly record: SampleRecord;
  readonly logits?: readonly number[];
}

/** The samples of datasets, by id. */
export interface SampleStore {
  /**
   * Writes all entries or none. The first sample of a dataset creates the dataset. If an id occurs twice, the last entry counts.
   *
   * @param merge decides what to keep of an id that the dataset has; by default the new record alone
   * @param history what becomes of the samples' histories; without it they stay as they are. Throws `checkpoint_conflict` if the
   *   dataset knows the checkpoint with another step, and `checkpoints_full` if it has `CHECKPOINTS_MAX` others
   */
  writeSamples(
    dataset: string,
    entries: readonly SampleEntry[],
    merge?: MergeRecords,
    history?: HistoryRules,
  ): Promise<WrittenSamples>;
  /**
   * Weights and signals of many ids, from one state of the dataset; null if the dataset is unknown.
   *
   * @param snapshot version of the snapshot of the weights; by default the newest. Throws `snapshot_not_found` if it is not kept
   */
  lookUp(dataset: string, ids: readonly string[], snapshot?: number): Promise<LookedUp | null>;
  /** The samples in the order of `ids`; null if the dataset or the id is unknown. `weight` comes from the newest snapshot. */
  readSamples(dataset: string, ids: readonly string[]): Promise<(StoredSample | null)[]>;
  /** Removes the record, its history and its weights in all snapshots. False if there was no record. */
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

/** A checkpoint of a training, by which a dataset keeps logits. Steps order the checkpoints, by name in the order of arrival. */
export interface TrainingCheckpoint {
  readonly name: string;
  /** The trainer's step: a whole number of at least 0. A name has one step. */
  readonly step: number;
}

/** Most checkpoints of one dataset. A trainer that posts single steps names their epoch's checkpoint. */
export const CHECKPOINTS_MAX = 4096;

/** Newest checkpoints whose logits a sample keeps apart. */
export const CHECKPOINTS_KEPT = 16;

/** Sums over the logits of a sample's older checkpoints. They are the caller's: see `LogitTotals` in `src/importance`. */
export interface MergedLogits {
  readonly classes: number; // K
  readonly count: number;
  readonly sums: readonly number[]; // (K, 3)
  readonly left: readonly number[]; // (max(2, K))
  readonly predicted: number;
}

/** The logits of one sample by checkpoint. A new text starts it again; a new label does not. */
export interface SampleHistory {
  readonly classes: number; // K
  /** (C) Places in the dataset's list of checkpoints, in the order of their steps; at most `CHECKPOINTS_KEPT`. */
  readonly checkpoints: readonly number[];
  /** (C, K) as float16 holds them. */
  readonly logits: readonly number[];
  /** The checkpoints before these, up to `through`; null if there are none. */
  readonly merged: (MergedLogits & { readonly through: number }) | null;
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
  /** Null if the dataset is unknown. */
  readHistories(dataset: string, ids: readonly string[]): Promise<FoundHistories | null>;
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

/** Lists, reads and deletes datasets. */
export interface SummaryStore {
  /** Ordered by name. */
  listDatasets(cursor: string | null, limit: number): Promise<Page<DatasetSummary>>;
  readDataset(dataset: string): Promise<DatasetSummary | null>;
  /** Removes samples, histories and snapshots. Outputs stay, because they belong to no dataset. False if there was no dataset. */
  deleteDataset(dataset: string): Promise<boolean>;
}

/** Datasets with their samples, histories and snapshots. */
export interface DatasetStore extends SummaryStore, SampleStore, HistoryStore, SnapshotStore {}

/** Directions, by name. */
export interface DirectionStore {
  /**
   * Keeps a direction with its vector (float32 little-endian, chunks of any size). It replaces an earlier direction of the name.
   * Readers see all of it or none. If two writers run at the same time, the last one to finish wins. If `vector` throws, nothing
   * is kept, and the earlier direction stays.
   */
  writeDirection(facts: DirectionFacts, vector: AsyncIterable<Uint8Array>): Promise<DirectionInfo>;
  readDirection(name: string): Promise<DirectionInfo | null>;
  /**
   * The bytes of the vector with this digest, which are checked against it. If the direction is replaced in the meantime, a
   * reader that has begun can continue for at least a minute. Throws `direction_not_found` if the name no longer has this vector,
   * and `store_corrupt` if bytes are missing or changed.
   */
  readDirectionVector(name: string, digest: string): AsyncIterable<Uint8Array>;
  /** Ordered by name. */
  listDirections(cursor: string | null, limit: number): Promise<Page<DirectionInfo>>;
  /** False if there was no direction. */
  deleteDirection(name: string): Promise<boolean>;
}

/** The parts of an open store that do not depend on what it keeps. */
export interface OpenStore {
  status(): Promise<StoreStatus>;
  /** Waits for running writes, then closes the store. */
  close(): Promise<void>;
}

/**
 * The store. It has separate records: outputs by content, samples by dataset and id, snapshots of weights, and directions by
 * name. Every method throws `store_unavailable` if the store does not answer within some seconds, and `store_full` if it has no
 * room. A write that fails with one of these codes may have been done, and can be repeated. A write resolves only when it is as
 * durable as the store's configuration promises. Callers have checked that dataset names have at most 128 bytes of UTF-8 and ids
 * at most 256.
 */
export interface Store extends OutputsStore, DatasetStore, DirectionStore, OpenStore {}
