import type { DatasetStore } from "./dataset-port.js";
import type { Page } from "./dataset-records.js";

/** Key of an outputs record: 16 bytes of a keyed digest of everything that decides the outputs. */
export type OutputsKey = Buffer;

/**
 * Parts that an outputs record may have, for K logits, H features and an embedding of D values: `gram` (K, K) ⟨∇z_k, ∇z_l⟩;
 * `tangent` (K) ⟨∇z_k, v⟩ along the direction whose digest is in the key; `embedding` (D) and `features` (H), the last layer's
 * input h, both kept as float16.
 */
export const OUTPUTS_PARTS = ["gram", "tangent", "embedding", "features"] as const;

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
  /** ‖v‖, computed in float64: from the sums, or, if the direction was scaled, from its entries. */
  readonly norm: number;
  /** SHA-256 of the vector by which its entries were multiplied (float32 little-endian), hex; null if they were not. */
  readonly scale: string | null;
}

/** A direction in the store. */
export interface DirectionInfo extends DirectionFacts {
  /** SHA-256 of the vector's bytes, hex. */
  readonly digest: string;
  /** Bytes of the vector: four for each parameter of the gradient scope. */
  readonly bytes: number;
  readonly createdAtMs: number;
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

/** Directions, by name. */
export interface DirectionStore {
  /**
   * Keeps a direction with its vector (float32 little-endian, chunks of any size). It replaces an earlier direction of the name.
   * Readers see all of it or none. If two writers run at the same time, the last one to finish wins. If `vector` throws, nothing
   * is kept, and the earlier direction stays. `facts` that depend on the vector are a function, which is called after its last byte.
   */
  writeDirection(
    facts: DirectionFacts | (() => DirectionFacts),
    vector: AsyncIterable<Uint8Array>,
  ): Promise<DirectionInfo>;
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
