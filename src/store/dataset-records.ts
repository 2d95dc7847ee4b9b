import type { OutputsKey } from "./port.js";

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
  /** The embeddings that it keeps; null if it is not to keep any. */
  readonly embeddings: KeptEmbeddings | null;
  /** See `DatasetSettings.hashedIds`. */
  readonly hashedIds: boolean;
}

/** How an embedding is kept: `int8` takes a byte for each value and a scale, `float16` two bytes for each value. */
export const EMBEDDING_TYPES = ["int8", "float16"] as const;
export type EmbeddingType = (typeof EMBEDDING_TYPES)[number];

/** How a dataset is to keep the embeddings of its samples. */
export interface EmbeddingSettings {
  readonly type: EmbeddingType;
  /** Most bytes that its embeddings may take together, as they are packed. */
  readonly bytesMax: number;
}

/** What made an embedding. Embeddings of two origins must not be compared. */
export interface EmbeddingOrigin {
  /** `name@version`. */
  readonly model: string;
  /** The place in the model: see `EmbeddingDescription`. */
  readonly after: string;
  /** D, the number of values. */
  readonly size: number;
}

/** The embeddings of one origin that a dataset has. */
export interface EmbeddingCount extends EmbeddingOrigin {
  readonly samples: number;
  readonly bytes: number;
}

export interface KeptEmbeddings extends EmbeddingSettings {
  /** By origin. The last is the one that was written last, and the only one that a scan reads. */
  readonly origins: readonly EmbeddingCount[];
}

/** Embeddings that a scan has read, all of one origin. Row n is the values of row n times its scale. */
export interface ScannedEmbeddings {
  /** The life of the dataset to which the numbers belong, as in `ScannedSamples`. */
  readonly incarnation: string;
  readonly count: number; // N
  /** (N) Numbers of the samples. */
  readonly numbers: Uint32Array;
  readonly origin: EmbeddingOrigin;
  /** (N, D) row-major: `Int8Array` for the type `int8`. */
  readonly values: Int8Array | Float32Array;
  /** (N) All 1 for the type `float16`. */
  readonly scales: Float32Array;
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
  /** See `DatasetSettings.hashedIds`. */
  readonly hashedIds: boolean;
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

/** A page of a list. Pass `cursor` to get the next page; null means that this is the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly cursor: string | null;
}
