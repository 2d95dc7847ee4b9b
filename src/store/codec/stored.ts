import type { LookedUp, SnapshotInfo, StoredSample } from "../port.js";
import { corrupt, type Reading, readVarint, take, varintLength, writeVarint } from "./bytes.js";
import { isObject, parseObject } from "./json.js";
import { decodeSample, skipToSignals } from "./sample.js";
import type { Shape } from "./shape.js";

/**
 * One value holds everything that a look-up needs of a sample:
 *
 *     head (1 byte)     layout version (high nibble), number of weights (low nibble)
 *     weights           each: snapshot version (varint), weight (float32)
 *     shape             number of the sample's shape in its dataset (varint)
 *     body              see `encodeSample`
 *
 * A weight counts only in the snapshot whose version it names. A new snapshot can therefore be written record by record while
 * readers still see all of the newest one. It becomes the newest one when the dataset's version is raised. Deleting a sample
 * deletes its weights too. `redis/scripts.ts` reads and writes the same layout in Lua.
 *
 * Weights that sum to 1 may sum to 1.00000003 after rounding to float32. So a snapshot keeps the ratio of the two sums, and a
 * weight is answered as float32 × ratio. This is the given weight to 7 digits, and the weights have the given sum in float64.
 */
export const LAYOUT_VERSION = 1;
/**
 * Most weights of a sample, which is the nibble's limit: that of the newest snapshot, and those of snapshots that are being
 * written or were abandoned. Beyond it, the oldest of the latter is removed.
 */
export const WEIGHTS_MAX = 15;
/** If this many snapshots began after one that is not done yet, that one may have lost weights. It is abandoned with an error. */
export const LATER_MAX = WEIGHTS_MAX - 1;

/** The newest snapshot in its stored form. */
export interface KeptSnapshot extends SnapshotInfo {
  /** See `weightScale`. Version 1a1e855 kept none; then weights are answered without a scale. */
  readonly weightScale?: number;
}

/** The part of a snapshot that the port answers. */
export function snapshotInfo({ version, createdAtMs, samples, provenance }: KeptSnapshot): SnapshotInfo {
  return { version, createdAtMs, samples, provenance };
}

/** The newest snapshot from its JSON. @throws AssayError `store_corrupt` if a part is missing */
export function parseSnapshot(text: string): KeptSnapshot {
  return snapshotOf(parseObject(text, "a snapshot"));
}

/** The newest snapshot from its parsed JSON. @throws AssayError `store_corrupt` if a part is missing */
export function snapshotOf(kept: unknown): KeptSnapshot {
  if (!isObject(kept)) throw corrupt("a snapshot is not an object");
  const { version, createdAtMs, samples, provenance, weightScale } = kept;
  if (
    typeof version !== "number" ||
    typeof createdAtMs !== "number" ||
    typeof samples !== "number" ||
    !isObject(provenance)
  ) {
    throw corrupt("a snapshot is incomplete");
  }
  const info = { version, createdAtMs, samples, provenance };
  return typeof weightScale === "number" ? { ...info, weightScale } : info;
}

/**
 * The sum of the weights divided by the sum of their float32 roundings; 1 if there are no weights. The ratio differs from 1 only
 * by rounding in float32. So it is computed as 1 + (sum of the differences) / (sum of the roundings), where each difference is
 * exact in float64. With this a plain loop is accurate to float64 for any number of weights.
 */
export function weightScale(weights: Float64Array): number {
  let kept = 0;
  let lost = 0;
  for (const weight of weights) {
    const rounded = Math.fround(weight);
    kept += rounded;
    lost += weight - rounded;
  }
  const scale = 1 + lost / kept;
  return Number.isFinite(scale) && scale > 0 ? scale : 1;
}

/** A weight of a sample in the snapshot of this version. */
export interface VersionedWeight {
  readonly version: number;
  readonly weight: number;
}

export function encodeStored(weights: readonly VersionedWeight[], shape: number, body: Buffer): Buffer {
  const weightBytes = weights.reduce((sum, { version }) => sum + varintLength(version) + 4, 0);
  const bytes = Buffer.allocUnsafe(1 + weightBytes + varintLength(shape) + body.length);
  bytes[0] = (LAYOUT_VERSION << 4) | weights.length;
  let at = 1;
  for (const { version, weight } of weights) {
    at = bytes.writeFloatLE(weight, writeVarint(bytes, version, at));
  }
  body.copy(bytes, writeVarint(bytes, shape, at));
  return bytes;
}

/**
 * @param shapeOf the dataset's shape with this number
 * @param snapshot the dataset's newest snapshot; null before the first, or if the weight is not needed
 * @throws AssayError `store_corrupt` for an unknown layout, shape or length
 */
export function decodeStored(
  bytes: Buffer,
  shapeOf: (number: number) => Shape | undefined,
  snapshot: KeptSnapshot | null,
): StoredSample {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  const weight = readWeight(reading, snapshot?.version ?? 0) * (snapshot?.weightScale ?? 1);
  const shape = knownShape(readVarint(reading), shapeOf);
  return { record: decodeSample(reading, shape), weight: Number.isNaN(weight) ? null : weight };
}

/** Columns that are being filled. */
export interface Columns extends LookedUp {
  readonly weightScale: number;
}

/** Columns for `count` ids of a dataset with these shapes. All ids are unknown at first. */
export function emptyColumns(
  count: number,
  shapes: readonly Shape[],
  snapshot: KeptSnapshot | null,
): Columns {
  const signalsMax = shapes.reduce((most, { signals }) => Math.max(most, signals.length), 0);
  return {
    snapshot: snapshot && snapshotInfo(snapshot),
    weightScale: snapshot?.weightScale ?? 1,
    shapes,
    shapeOf: new Int32Array(count).fill(-1),
    weights: new Float64Array(count).fill(Number.NaN),
    signals: new Float32Array(count * signalsMax).fill(Number.NaN),
    signalsMax,
  };
}

/**
 * Reads weight and signals of a stored value into row `index`. The value is in `bytes` from `at` to `end`.
 * @throws AssayError `store_corrupt` for an unknown layout, shape or length
 */
export function decodeIntoColumns(
  bytes: Buffer,
  columns: Columns,
  index: number,
  at = 0,
  end = bytes.length,
): void {
  const reading: Reading = { bytes, at, end };
  columns.weights[index] = readWeight(reading, columns.snapshot?.version ?? 0) * columns.weightScale;
  const number = readVarint(reading);
  const shape = knownShape(number, (each) => columns.shapes[each]);
  const first = skipToSignals(reading, shape);
  const row = index * columns.signalsMax;
  for (let s = 0; s < shape.signals.length; s++) columns.signals[row + s] = bytes.readFloatLE(first + 4 * s);
  columns.shapeOf[index] = number;
}

/** The number of a stored value's shape. */
export function shapeNumber(bytes: Buffer): number {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  readWeight(reading, 0);
  return readVarint(reading);
}

/** The weight in the snapshot of that version; NaN if there is none. */
function readWeight(reading: Reading, snapshot: number): number {
  let weight = Number.NaN;
  for (let left = readWeightCount(reading); left > 0; left--) {
    const version = readVarint(reading);
    const at = take(reading, 4);
    if (version === snapshot) weight = reading.bytes.readFloatLE(at);
  }
  return weight;
}

function knownShape(number: number, shapeOf: (number: number) => Shape | undefined): Shape {
  const shape = shapeOf(number);
  if (shape === undefined) throw corrupt(`a sample names the unknown shape ${number}`);
  return shape;
}

/** The weights of a stored value that may still count: those of the newest snapshot and of later ones. */
export function weightsSince(bytes: Buffer, snapshot: number): VersionedWeight[] {
  return readWeights({ bytes, at: 0, end: bytes.length }).filter(({ version }) => version >= snapshot);
}

/** The stored value with one more weight, and without those of snapshots older than the newest. */
export function withWeight(bytes: Buffer, snapshot: number, added: VersionedWeight): Buffer {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  const weights = readWeights(reading).filter(
    ({ version }) => version >= snapshot && version !== added.version,
  );
  if (weights.length === WEIGHTS_MAX) {
    weights.splice(
      weights.findIndex(({ version }) => version > snapshot),
      1,
    );
  }
  const shape = readVarint(reading);
  return encodeStored([...weights, added], shape, bytes.subarray(reading.at, reading.end));
}

function readWeights(reading: Reading): VersionedWeight[] {
  const weights: VersionedWeight[] = [];
  for (let left = readWeightCount(reading); left > 0; left--) {
    const version = readVarint(reading);
    weights.push({ version, weight: reading.bytes.readFloatLE(take(reading, 4)) });
  }
  return weights;
}

function readWeightCount(reading: Reading): number {
  const head = reading.bytes[take(reading, 1)] as number;
  if (head >> 4 !== LAYOUT_VERSION) throw corrupt(`a sample has the unknown layout ${head >> 4}`);
  return head & 0x0f;
}
