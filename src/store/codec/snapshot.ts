import type { SnapshotInfo } from "../dataset-records.js";
import { corrupt } from "./bytes.js";
import { isObject, parseObject } from "./json.js";

/**
 * A snapshot in its stored form. Its weights are a column: one float32 for each sample number, NaN for none. A stored sample of
 * version 1a1e855 holds its weight itself, and such a snapshot has no column.
 *
 * Weights that sum to 1 may sum to 1.00000003 after rounding to float32. So a snapshot keeps the ratio of the two sums, and a
 * weight is answered as float32 × ratio. This is the given weight to 7 digits, and the weights have the given sum in float64.
 */
export interface KeptSnapshot extends SnapshotInfo {
  /** See `weightScale`. Version 1a1e855 kept none; then weights are answered without a scale. */
  readonly weightScale?: number;
  readonly column?: ColumnPlace;
}

/** Where the weights of a snapshot are. */
export interface ColumnPlace {
  /** Number of the column within the dataset. */
  readonly id: number;
  /** Entries of the column. Samples with a higher number came later. */
  readonly length: number;
}

/** The part of a snapshot that the port answers. */
export function snapshotInfo({
  version,
  createdAtMs,
  samples,
  weightSum,
  provenance,
}: KeptSnapshot): SnapshotInfo {
  return { version, createdAtMs, samples, weightSum, provenance };
}

/**
 * A snapshot from its version, the JSON of its other parts, and the sum of the weights of its samples that were deleted.
 * @throws AssayError `store_corrupt` if a part is missing
 */
export function parseFields(version: number, text: string, removed: number): KeptSnapshot {
  const snapshot = snapshotOf({ ...parseObject(text, "a snapshot"), version });
  return removed === 0 || snapshot.weightSum === null
    ? snapshot
    : { ...snapshot, weightSum: snapshot.weightSum - removed };
}

/** A snapshot from its parsed JSON. @throws AssayError `store_corrupt` if a part is missing */
export function snapshotOf(kept: unknown): KeptSnapshot {
  if (!isObject(kept)) throw corrupt("a snapshot is not an object");
  const { version, createdAtMs, samples, provenance, weightSum = null, weightScale, column } = kept;
  if (
    typeof version !== "number" ||
    typeof createdAtMs !== "number" ||
    typeof samples !== "number" ||
    !(weightSum === null || typeof weightSum === "number") ||
    !isObject(provenance)
  ) {
    throw corrupt("a snapshot is incomplete");
  }
  const info = { version, createdAtMs, samples, weightSum, provenance };
  const scaled = typeof weightScale === "number" ? { ...info, weightScale } : info;
  if (column === undefined) return scaled;
  if (!isObject(column) || typeof column.id !== "number" || typeof column.length !== "number")
    throw corrupt("a snapshot does not say where its weights are");
  return { ...scaled, column: { id: column.id, length: column.length } };
}

/**
 * The sum of the weights divided by the sum of their float32 roundings; 1 if there are no weights. The ratio differs from 1 only
 * by rounding in float32. So it is computed as 1 + (sum of the differences) / (sum of the roundings), where each difference is
 * exact in float64. With this a plain loop is accurate to float64 for any number of weights.
 *
 * @param weights NaN for none
 */
export function weightScale(weights: Float64Array): number {
  let kept = 0;
  let lost = 0;
  for (const weight of weights) {
    if (Number.isNaN(weight)) continue;
    const rounded = Math.fround(weight);
    kept += rounded;
    lost += weight - rounded;
  }
  const scale = 1 + lost / kept;
  return Number.isFinite(scale) && scale > 0 ? scale : 1;
}
