import type { KeptSnapshot } from "../codec/stored.js";

/** The record of a dataset, apart from its samples. Every change of a sample rewrites it. */
export interface DatasetEntry {
  readonly incarnation: Buffer;
  readonly samples: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Number of the dataset's shapes: see `Shape`. */
  readonly shapes: number;
  /** Number of samples of each shape; null if the last writer was version 1a1e855, which did not count them. */
  readonly counts: readonly number[] | null;
  /** The newest snapshot that readers see. */
  readonly snapshot: KeptSnapshot | null;
  /** The newest snapshot version that a writer has taken, published or not. */
  readonly snapshotVersionTaken: number;
}
