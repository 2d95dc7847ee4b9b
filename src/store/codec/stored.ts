import type { LookedUp, SnapshotInfo, StoredSample } from "../port.js";
import { corrupt, type Reading, readVarint, take, varintLength, writeVarint } from "./bytes.js";
import { isObject, parseObject } from "./json.js";
import { decodeSample, skipToSignals } from "./sample.js";
import type { Shape } from "./shape.js";

/**
 * One value holds all that a look-up needs of a sample:
 *
 *     head (1 byte)     layout version (high nibble), number of weights (low nibble)
 *     weights           each: snapshot version (varint), weight (float32)
 *     shape             number of the sample's shape in its dataset (varint)
 *     body              see `encodeSample`
 *
 * A weight counts only in the snapshot whose version it names. A snapshot is therefore written beside the newest one,
 * record by record, while readers still see the newest one whole; it comes into force when the dataset's version moves
 * on. Deleting a sample takes its weights along. `redis/scripts.ts` reads and writes the same layout in Lua.
 *
 * Rounded to float32, weights that sum to 1 sum to 1.00000003. So a snapshot keeps the ratio of the two sums, and a weight is
 * answered as float32 × ratio: to 7 digits the weight that was given, with the sum that was given to float64.
 */
export const LAYOUT_VERSION = 1;
/** The nibble's limit: the newest snapshot and others that are being written or were abandoned; then the oldest of these goes. */
export const WEIGHTS_MAX = 15;
/** So a snapshot after which this many were begun before it was done may have lost weights: it is given up. */
export const LATER_MAX = WEIGHTS_MAX - 1;

/** The newest snapshot as it is kept. */
export interface KeptSnapshot extends SnapshotInfo {
  /** See `weightScale`; 1a1e855 kept none, and what it weighed is answered as it was. */
  readonly weightScale?: number;
}

/** What the port tells of a snapshot. */
export function snapshotInfo({ version, createdAtMs, samples, provenance }: KeptSnapshot): SnapshotInfo {
  return { version, createdAtMs, samples, provenance };
}

/** The newest snapshot from its JSON. @throws AssayError `store_corrupt` where a part is missing */
export function parseSnapshot(text: string): KeptSnapshot {
  return snapshotOf(parseObject(text, "a snapshot"));
}

/** The newest snapshot from its parsed JSON. @throws AssayError `store_corrupt` where a part is missing */
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
 * The sum of the weights over the sum of what is kept of them; 1 where nothing is. It differs from 1 by a rounding of float32, so
 * it is computed as 1 + the sum of these differences (each exact in float64) over the sum of what is kept: plain loops then keep
 * it right to float64, however many weights there are.
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

/** One weight of a sample: of the snapshot with this version. */
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
 * @param snapshot the dataset's newest one, null before the first or where no weight is wanted
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

/** Columns for `count` ids of a dataset with these shapes, none of them found yet. */
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
 * Reads weight and signals of a stored value, which lies in `bytes` from `at` to `end`, into row `index`.
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

/** Number of the shape of a stored value. */
export function shapeNumber(bytes: Buffer): number {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  readWeight(reading, 0);
  return readVarint(reading);
}

/** The weight in the snapshot of that version; NaN where there is none. */
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
