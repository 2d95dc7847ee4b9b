/** Key of an outputs record: 16 bytes of a keyed digest of everything that decides the outputs. */
export type OutputsKey = Buffer;

/**
 * Parts that an outputs record may have, of K logits and H features: `gram` (K, K) ⟨∇z_k, ∇z_l⟩, `tangent` (K) ⟨∇z_k, v⟩ along the
 * direction that the key is bound to, `features` (H) the last layer's input h, kept as float16.
 */
export const OUTPUTS_PARTS = ["gram", "tangent", "features"] as const;
export type OutputsPart = (typeof OUTPUTS_PARTS)[number];

/**
 * What the model said of one text, without its label; each record comes from one graph and lacks the parts that this did not
 * give. Evictable. A record with more parts may take the place of one with fewer.
 */
export interface OutputsRecord extends Readonly<Partial<Record<OutputsPart, Float32Array>>> {
  /** (K) logits. */
  readonly logits: Float32Array;
  /** ‖h‖² of the last layer's input. */
  readonly featureNormSquared: number;
  /** The text was longer than the model takes and was cut. */
  readonly truncated: boolean;
}

/** One sample's label as it was posted: a number, K probabilities, or null. */
export type StoredLabel = number | readonly number[] | null;

/** What is remembered of one sample of a dataset: its newest scoring. Durable. */
export interface SampleRecord {
  readonly outputsKey: OutputsKey;
  /** Model that scored it: `name@version`. Interned per dataset, so it costs a few bytes a record. */
  readonly model: string;
  /** Loss that the signals were computed with. Interned like `model`. */
  readonly loss: string;
  readonly label: StoredLabel;
  /** Directions that signals were measured along, as the use case names them; empty where none was. Interned like `model`. */
  readonly directions: readonly string[];
  /** The query of pairwise and listwise losses, at most 256 bytes. */
  readonly group: string | null;
  /** Signal name → value in float32; NaN never occurs. */
  readonly signals: ReadonlyMap<string, number>;
  /** Milliseconds since the epoch. */
  readonly scoredAtMs: number;
}

/** A sample as the store has it. */
export interface StoredSample {
  readonly record: SampleRecord;
  /**
   * The sample's weight in the newest snapshot, to 7 digits: all that were given sum in float64 to the sum that was given. Null
   * before the first snapshot and where the sample came later.
   */
  readonly weight: number | null;
}

export interface DatasetSummary {
  readonly dataset: string;
  readonly samples: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** `name@version` of the models whose scores its samples have now, with the number of these samples. */
  readonly samplesByModel: ReadonlyMap<string, number>;
  /** Newest snapshot, null before the first. */
  readonly snapshot: SnapshotInfo | null;
}

/** Provenance of one weighting of a whole dataset. */
export interface SnapshotInfo {
  /** 1, 2, 3, … within the dataset. */
  readonly version: number;
  readonly createdAtMs: number;
  /** Number of samples weighed. */
  readonly samples: number;
  /** How the weights were made (signal, scheme, parameters, model, loss, diagnostics), as the use case gave it. */
  readonly provenance: Readonly<Record<string, unknown>>;
}

/** What the samples of a dataset share in groups: the model, the loss and the directions that scored them, and the names of their signals. */
export interface SampleShape {
  readonly model: string;
  readonly loss: string;
  readonly directions: readonly string[];
  /** Sorted. */
  readonly signals: readonly string[];
}

/** Weights and signals of N ids in columns: a look-up of thousands makes no object for each. */
export interface LookedUp {
  /** The snapshot that the weights are of, null before the first. */
  readonly snapshot: SnapshotInfo | null;
  /** The shapes of the dataset. */
  readonly shapes: readonly SampleShape[];
  /** (N) Which of `shapes` each id's sample has; −1 where the id is unknown. */
  readonly shapeOf: Int32Array;
  /** (N) As `StoredSample.weight`; NaN where the snapshot has no weight of the sample. */
  readonly weights: Float64Array;
  /** (N, S) row-major, S the names of the longest shape; a row holds its shape's signals in their order, then NaN. */
  readonly signals: Float32Array;
  /** S. */
  readonly signalsMax: number;
}

/**
 * `loss_gradient`: the mean of ∇ℓ over samples. `mean_direction`: E[I], the mean of I = ∇ℓ/‖∇ℓ‖, with I = 0 where ∇ℓ = 0.
 */
export const DIRECTION_KINDS = ["loss_gradient", "mean_direction"] as const;
export type DirectionKind = (typeof DIRECTION_KINDS)[number];

/** What is known of a direction beside its vector. */
export interface DirectionFacts {
  readonly name: string;
  readonly kind: DirectionKind;
  /** The model that it was made with. */
  readonly model: { readonly name: string; readonly version: string };
  /** Digest of the weights at which it was made, hex: it means nothing at others. */
  readonly weightsDigest: string;
  readonly loss: string;
  /** Number of samples that it is the mean of, those with a zero gradient included. */
  readonly samples: number;
  readonly zeroGradients: number;
  /** ‖v‖, of the sums in float64. */
  readonly norm: number;
}

/** A direction as the store has it. */
export interface DirectionInfo extends DirectionFacts {
  /** SHA-256 of the vector's bytes, hex: the same vector has the same one. */
  readonly digest: string;
  /** Of the vector: four for each parameter. */
  readonly bytes: number;
  readonly createdAtMs: number;
}

/** A page of a list: pass `cursor` to get the next one; null at the end. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor: string | null;
}

/** What the store promises of an acknowledged write, in words for `/readyz` and the log. */
export interface StoreStatus {
  readonly kind: "embedded" | "redis";
  readonly durability: string;
}

/** What the models said of texts, by content. */
export interface OutputsStore {
  /** Key of the digests under which outputs are kept: 32 bytes, made once and shared by all who use the store. */
  digestKey(): Promise<Buffer>;
  /** In the order of `keys`; null where unknown. */
  readOutputs(keys: readonly OutputsKey[]): Promise<(OutputsRecord | null)[]>;
  /**
   * Idempotent: the same key carries the same record, or one with more parts. Resolves when the records are kept; this process reads them
   * from the call on.
   */
  writeOutputs(entries: readonly { key: OutputsKey; record: OutputsRecord }[]): Promise<void>;
}

/** The samples of datasets, by id. */
export interface SampleStore {
  /** All or nothing; the dataset comes into being with its first sample. */
  writeSamples(dataset: string, entries: readonly { id: string; record: SampleRecord }[]): Promise<void>;
  /** Weights and signals of many ids, from one state of the dataset; null where it is unknown. */
  lookUp(dataset: string, ids: readonly string[]): Promise<LookedUp | null>;
  /** In the order of `ids`; null where the dataset or the id is unknown. `weight` is the newest snapshot's. */
  readSamples(dataset: string, ids: readonly string[]): Promise<(StoredSample | null)[]>;
  /** Removes the record and its entry in every snapshot; false where there was none. */
  deleteSample(dataset: string, id: string): Promise<boolean>;
  /** Every sample once, in chunks, in no promised order. Samples written meanwhile may or may not appear. */
  scanSamples(dataset: string): AsyncIterable<readonly { id: string; record: SampleRecord }[]>;
}

/** The weights of whole datasets. */
export interface SnapshotStore {
  /**
   * Keeps a weighting of the dataset as its newest snapshot; readers see all of it or none. Older snapshots may be
   * dropped. Ids deleted since the scan are left out. Weightings of one dataset take turns. Throws `dataset_not_found` where the
   * dataset is gone, `overloaded` where too many wait, or other processes began too many before this one was done.
   */
  writeSnapshot(
    dataset: string,
    weights: { readonly ids: readonly string[]; readonly weights: Float64Array },
    provenance: Readonly<Record<string, unknown>>,
  ): Promise<SnapshotInfo>;
}

/** Datasets as wholes. */
export interface SummaryStore {
  /** Ordered by name. */
  listDatasets(cursor: string | null, limit: number): Promise<Page<DatasetSummary>>;
  readDataset(dataset: string): Promise<DatasetSummary | null>;
  /** Removes samples and snapshots; outputs stay: they belong to no dataset. False where there was none. */
  deleteDataset(dataset: string): Promise<boolean>;
}

/** Datasets with their samples and snapshots. */
export interface DatasetStore extends SummaryStore, SampleStore, SnapshotStore {}

/** Directions, by name. */
export interface DirectionStore {
  /**
   * Keeps a direction with its vector (float32 little-endian, chunks of any sizes) in place of the one of its name. Readers
   * see all of it or none; of two writers at once the last to finish stands. Where `vector` throws, nothing is kept and
   * the one before stays.
   */
  writeDirection(facts: DirectionFacts, vector: AsyncIterable<Uint8Array>): Promise<DirectionInfo>;
  readDirection(name: string): Promise<DirectionInfo | null>;
  /**
   * The bytes of the vector with this digest, checked against it; whoever replaces the direction meanwhile does not stop a
   * reader that has begun, for a minute at least. Throws `direction_not_found` where the name has no such vector any more,
   * `store_corrupt` where bytes are missing or changed.
   */
  readDirectionVector(name: string, digest: string): AsyncIterable<Uint8Array>;
  /** Ordered by name. */
  listDirections(cursor: string | null, limit: number): Promise<Page<DirectionInfo>>;
  /** False where there was none. */
  deleteDirection(name: string): Promise<boolean>;
}

/** The store as something that is open, whatever it keeps. */
export interface OpenStore {
  status(): Promise<StoreStatus>;
  /** Waits for writes under way, then lets go of the store. */
  close(): Promise<void>;
}

/**
 * What is remembered. Three kinds of record that are never mixed: outputs by content, samples by dataset and id, snapshots
 * of weights. Every method throws `AssayError("store_unavailable")` while the store does not answer, which is no later than after
 * some seconds, and `store_full` where it takes no more; a write that fails so may have been done, and can be repeated. It resolves a write
 * only when it is as durable as the store is set to be. Dataset names are at most 128 and ids at most 256 bytes of UTF-8;
 * callers have checked them.
 */
export interface Store extends OutputsStore, DatasetStore, DirectionStore, OpenStore {}
