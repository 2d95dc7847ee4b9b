import type { LookedUp, SampleRecord, StoredLabel, StoredSample } from "../dataset-records.js";
import { corrupt, type Reading, readVarint, take, varintLength, writeVarint } from "./bytes.js";
import {
  decodeFirstSample,
  FIRST_LAYOUT,
  labelOfFirst,
  readFirstWeight,
  skipToFirstSignals,
} from "./first-layout.js";
import { decodeSample, labelOf, skipToSignals, textDigestOf } from "./sample.js";
import type { Shape } from "./shape.js";
import { type KeptSnapshot, snapshotInfo } from "./snapshot.js";

/**
 * One value holds what a look-up needs of a sample:
 *
 *     head (1 byte)     layout version (high nibble), 0 (low nibble)
 *     number            number of the sample in its dataset (varint); the row of its weight in the columns of the snapshots
 *     shape             number of the sample's shape in its dataset (varint)
 *     body              see `encodeSample`
 *
 * A dataset numbers its samples from 0 in the order in which it first gets their ids, and never gives a number twice.
 * `redis/scripts.ts` reads and writes the same layout in Lua.
 */
export const LAYOUT_VERSION = 2;

export function encodeStored(number: number, shape: number, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes(number, shape) + body.length);
  body.copy(bytes, writeHead(bytes, number, shape, 0));
  return bytes;
}

/** Bytes of what stands before the body. */
export function headBytes(number: number, shape: number): number {
  return 1 + varintLength(number) + varintLength(shape);
}

/** Writes what stands before the body; returns the offset after it. */
export function writeHead(bytes: Buffer, number: number, shape: number, start: number): number {
  bytes[start] = LAYOUT_VERSION << 4;
  return writeVarint(bytes, shape, writeVarint(bytes, number, start + 1));
}

/** What stands before the body. */
interface Head {
  readonly layout: number;
  /** Number of the sample; `NO_NUMBER` in the layout of version 1a1e855. */
  readonly number: number;
  /** Weight in the layout of version 1a1e855; NaN if it has none, and in the present layout. */
  readonly firstWeight: number;
  readonly shape: number;
}

/** Stands for the number of a sample that has none. */
export const NO_NUMBER = 0xffff_ffff;

/** @param snapshot version of the snapshot whose weight a sample of the first layout gives */
function readHead(reading: Reading, snapshot: number): Head {
  const head = reading.bytes[take(reading, 1)] as number;
  const layout = head >> 4;
  if (layout === FIRST_LAYOUT) {
    const firstWeight = readFirstWeight(reading, head & 0x0f, snapshot);
    return { layout, number: NO_NUMBER, firstWeight, shape: readVarint(reading) };
  }
  if (head !== LAYOUT_VERSION << 4) throw corrupt(`a sample has the unknown layout ${layout}`);
  const number = readVarint(reading);
  return { layout, number, firstWeight: Number.NaN, shape: readVarint(reading) };
}

/** A stored sample with its number. */
export interface NumberedSample extends StoredSample {
  readonly number: number;
}

/**
 * The weight is null unless the sample has the layout of version 1a1e855.
 *
 * @param shapeOf the dataset's shape with this number
 * @param snapshot the dataset's newest snapshot; null before the first, or if the weight is not needed
 * @throws AssayError `store_corrupt` for an unknown layout, shape or length
 */
export function decodeStored(
  bytes: Buffer,
  shapeOf: (number: number) => Shape | undefined,
  snapshot: KeptSnapshot | null,
): NumberedSample {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  const { layout, number, firstWeight, shape } = readHead(reading, snapshot?.version ?? 0);
  const known = knownShape(shape, shapeOf);
  const record = (layout === FIRST_LAYOUT ? decodeFirstSample : decodeSample)(reading, known);
  const weight = firstWeight * (snapshot?.weightScale ?? 1);
  return {
    number,
    record: { ...record, signals: new Map(record.signals) },
    weight: Number.isNaN(weight) ? null : weight,
  };
}

/** The record alone, for a writing that replaces it. Its signals share the names of the shape. */
export function decodeRecord(bytes: Buffer, shapeOf: (number: number) => Shape | undefined): SampleRecord {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  const { layout, shape } = readHead(reading, 0);
  return (layout === FIRST_LAYOUT ? decodeFirstSample : decodeSample)(reading, knownShape(shape, shapeOf));
}

/** Columns that are being filled. */
export interface Columns extends Omit<LookedUp, "hashedIds"> {
  /** (N) Numbers of the samples; `NO_NUMBER` for an unknown id. */
  readonly numbers: Uint32Array;
  readonly kept: KeptSnapshot | null;
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
    kept: snapshot,
    shapes,
    numbers: new Uint32Array(count).fill(NO_NUMBER),
    shapeOf: new Int32Array(count).fill(-1),
    weights: new Float64Array(count).fill(Number.NaN),
    signals: new Float32Array(count * signalsMax).fill(Number.NaN),
    signalsMax,
  };
}

/**
 * Reads number, shape and signals of a stored value into row `index`, and its weight if it has the layout of version 1a1e855. The
 * value is in `bytes` from `at` to `end`.
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
  const {
    layout,
    number,
    firstWeight,
    shape: shapeNumber,
  } = readHead(reading, columns.snapshot?.version ?? 0);
  if (layout === FIRST_LAYOUT) columns.weights[index] = firstWeight * (columns.kept?.weightScale ?? 1);
  const shape = knownShape(shapeNumber, (each) => columns.shapes[each]);
  const first = (layout === FIRST_LAYOUT ? skipToFirstSignals : skipToSignals)(reading, shape);
  const row = index * columns.signalsMax;
  for (let s = 0; s < shape.signals.length; s++) columns.signals[row + s] = bytes.readFloatLE(first + 4 * s);
  columns.shapeOf[index] = shapeNumber;
  columns.numbers[index] = number;
}

/** The label of a stored value. */
export function storedLabel(bytes: Buffer): StoredLabel {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  const { layout } = readHead(reading, 0);
  return layout === FIRST_LAYOUT ? labelOfFirst(reading) : labelOf(reading);
}

/** The digest of the text of a stored value; null if it is unknown. */
export function storedTextDigest(bytes: Buffer): Buffer | null {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  const { layout } = readHead(reading, 0);
  return layout === FIRST_LAYOUT ? null : textDigestOf(reading);
}

/** The numbers of a stored value: its own, and that of its shape. */
export function storedNumbers(bytes: Buffer): { readonly number: number; readonly shape: number } {
  return readHead({ bytes, at: 0, end: bytes.length }, 0);
}

function knownShape(number: number, shapeOf: (number: number) => Shape | undefined): Shape {
  const shape = shapeOf(number);
  if (shape === undefined) throw corrupt(`a sample names the unknown shape ${number}`);
  return shape;
}
