import { type SampleRecord, SignalRow, type StoredLabel } from "../dataset-records.js";
import {
  corrupt,
  finish,
  type Reading,
  readFloats32,
  readVarint,
  take,
  varintLength,
  writeFloat32,
  writeVarint,
} from "./bytes.js";
import type { Shape } from "./shape.js";

const OUTPUTS_KEY_BYTES = 16;
export const TEXT_DIGEST_BYTES = 6;
const GROUP_BYTES = 8;
/** Kind and time. The time is milliseconds since the epoch in 6 bytes. */
const FIXED_BYTES = 1 + 6;

/** How a label is packed: the low nibble of a record's first byte. Most labels are 0 and 1, which take no further bytes. */
const LABEL = { none: 0, zero: 1, one: 2, byte: 3, float32: 4, float64: 5, list32: 6, list64: 7 } as const;
/** Which optional parts a record has: the high nibble. */
const HAS = { group: 0x10, outputsKey: 0x20, textDigest: 0x40 } as const;
const HAS_ANY = HAS.group | HAS.outputsKey | HAS.textDigest;

/**
 * Packs what a sample does not share with others: label kind and flags (1 byte), time (6), outputs key (16), text digest (6),
 * label, group (8), signals (one float32 for each name of the shape). `signals` are the shape's names. A label is kept exactly.
 */
export function encodeSample(record: SampleRecord, signals: readonly string[]): Buffer {
  const bytes = Buffer.allocUnsafe(sampleBytes(record, signals.length));
  let at = writeHeadOf(bytes, record, 0);
  for (const name of signals) at = writeFloat32(bytes, record.signals.get(name) as number, at);
  return bytes;
}

/** Bytes that the packed record takes. Throws RangeError if a part has another length than its kind. */
export function sampleBytes({ label, outputsKey, textDigest, group }: SampleRecord, signals: number): number {
  if (outputsKey !== null && outputsKey.length !== OUTPUTS_KEY_BYTES)
    throw new RangeError("an outputs key has 16 bytes");
  if (textDigest !== null && textDigest.length !== TEXT_DIGEST_BYTES)
    throw new RangeError("a text digest has 6 bytes");
  if (group !== null && !GROUP.test(group)) throw new RangeError("a group is the hex form of 8 bytes");
  return (
    FIXED_BYTES +
    (outputsKey === null ? 0 : OUTPUTS_KEY_BYTES) +
    (textDigest === null ? 0 : TEXT_DIGEST_BYTES) +
    labelBytes(labelKind(label), label) +
    (group === null ? 0 : GROUP_BYTES) +
    signals * 4
  );
}

/**
 * Packs the record into `bytes` from `start` on, which has room for `sampleBytes`. Returns the offset after it.
 *
 * @param order the place of each of the shape's signals among the record's
 */
export function writeSample(
  bytes: Buffer,
  record: SampleRecord,
  order: readonly number[],
  start: number,
): number {
  const { signals } = record;
  const numbers = signals instanceof SignalRow ? signals.numbers : [...signals.values()];
  let at = writeHeadOf(bytes, record, start);
  for (let index = 0; index < order.length; index++)
    at = writeFloat32(bytes, numbers[order[index] as number] as number, at);
  return at;
}

/** Packs what stands before the signals. */
function writeHeadOf(bytes: Buffer, record: SampleRecord, start: number): number {
  const { label, outputsKey, textDigest, group } = record;
  const kind = labelKind(label);
  bytes[start] =
    kind |
    (group === null ? 0 : HAS.group) |
    (outputsKey === null ? 0 : HAS.outputsKey) |
    (textDigest === null ? 0 : HAS.textDigest);
  let at = bytes.writeUIntLE(record.scoredAtMs, start + 1, 6);
  if (outputsKey !== null) at += outputsKey.copy(bytes, at);
  if (textDigest !== null) at += textDigest.copy(bytes, at);
  at = writeLabel(bytes, kind, label, at);
  return group === null ? at : at + bytes.write(group, at, "hex");
}

/** The hex form of `GROUP_BYTES`. */
const GROUP = /^[0-9a-f]{16}$/i;

/** Reads to the end of `reading`. @throws AssayError `store_corrupt` if the bytes do not fit */
export function decodeSample(reading: Reading, shape: Shape): SampleRecord {
  const { bytes } = reading;
  const start = take(reading, FIXED_BYTES);
  const flags = flagsOf(bytes[start] as number);
  const scoredAtMs = bytes.readUIntLE(start + 1, 6);
  const outputsKey = flags & HAS.outputsKey ? copy(reading, OUTPUTS_KEY_BYTES) : null;
  const textDigest = flags & HAS.textDigest ? copy(reading, TEXT_DIGEST_BYTES) : null;
  const label = readLabel(reading, (bytes[start] as number) & 0x0f);
  const group = flags & HAS.group ? copy(reading, GROUP_BYTES).toString("hex") : null;
  const signals = readSignals(reading, shape);
  const { model, loss, precision, directions, source, observed, earlier } = shape;
  // Without a spread, which takes longer than all else here.
  return {
    model,
    loss,
    precision,
    directions,
    source,
    observed,
    earlier,
    outputsKey,
    textDigest,
    label,
    group,
    signals,
    scoredAtMs,
  };
}

/** Reads the signals, which reach to the end of `reading`. */
export function readSignals(reading: Reading, { signals: names }: Shape): SignalRow {
  const first = take(reading, names.length * 4);
  finish(reading);
  const numbers: number[] = [];
  for (let index = 0; index < names.length; index++)
    numbers.push(reading.bytes.readFloatLE(first + index * 4));
  return new SignalRow(names, numbers);
}

/**
 * Skips everything before the signals, which reach to the end of `reading`. Returns the offset of the first signal.
 * @throws AssayError `store_corrupt` if the bytes do not fit
 */
export function skipToSignals(reading: Reading, { signals }: Shape): number {
  const kind = reading.bytes[take(reading, FIXED_BYTES)] as number;
  const flags = flagsOf(kind);
  skipDigests(reading, flags);
  skipLabel(reading, kind & 0x0f);
  if (flags & HAS.group) take(reading, GROUP_BYTES);
  const first = take(reading, signals.length * 4);
  finish(reading);
  return first;
}

/** Reads the digest of the text alone. */
export function textDigestOf(reading: Reading): Buffer | null {
  const flags = flagsOf(reading.bytes[take(reading, FIXED_BYTES)] as number);
  if (flags & HAS.outputsKey) take(reading, OUTPUTS_KEY_BYTES);
  return flags & HAS.textDigest ? copy(reading, TEXT_DIGEST_BYTES) : null;
}

/** Whether two digests of texts are equal; two that are unknown are. */
export function isSameDigest(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

/** Reads the label alone. */
export function labelOf(reading: Reading): StoredLabel {
  const kind = reading.bytes[take(reading, FIXED_BYTES)] as number;
  skipDigests(reading, flagsOf(kind));
  return readLabel(reading, kind & 0x0f);
}

function skipDigests(reading: Reading, flags: number): void {
  take(
    reading,
    (flags & HAS.outputsKey ? OUTPUTS_KEY_BYTES : 0) + (flags & HAS.textDigest ? TEXT_DIGEST_BYTES : 0),
  );
}

function flagsOf(kind: number): number {
  const flags = kind & 0xf0;
  if (flags & ~HAS_ANY) throw corrupt(`a sample has the unknown flags ${flags}`);
  return flags;
}

export function copy(reading: Reading, length: number): Buffer {
  const start = take(reading, length);
  return Buffer.from(reading.bytes.subarray(start, start + length));
}

function labelKind(label: StoredLabel): number {
  if (label === null) return LABEL.none;
  if (typeof label !== "number") return label.every(isFloat32) ? LABEL.list32 : LABEL.list64;
  if (Object.is(label, 0)) return LABEL.zero;
  if (label === 1) return LABEL.one;
  if (Number.isInteger(label) && label > 0 && label < 256) return LABEL.byte;
  return isFloat32(label) ? LABEL.float32 : LABEL.float64;
}

function isFloat32(value: number): boolean {
  return Object.is(Math.fround(value), value);
}

function labelBytes(kind: number, label: StoredLabel): number {
  if (kind === LABEL.byte) return 1;
  if (kind === LABEL.float32) return 4;
  if (kind === LABEL.float64) return 8;
  if (kind !== LABEL.list32 && kind !== LABEL.list64) return 0;
  const { length } = label as readonly number[];
  return varintLength(length) + length * (kind === LABEL.list32 ? 4 : 8);
}

function writeLabel(target: Buffer, kind: number, label: StoredLabel, at: number): number {
  if (kind === LABEL.byte) return target.writeUInt8(label as number, at);
  if (kind === LABEL.float32) return target.writeFloatLE(label as number, at);
  if (kind === LABEL.float64) return target.writeDoubleLE(label as number, at);
  if (kind !== LABEL.list32 && kind !== LABEL.list64) return at;
  const values = label as readonly number[];
  let offset = writeVarint(target, values.length, at);
  for (const value of values) {
    offset = kind === LABEL.list32 ? target.writeFloatLE(value, offset) : target.writeDoubleLE(value, offset);
  }
  return offset;
}

export function readLabel(reading: Reading, kind: number): StoredLabel {
  const { bytes } = reading;
  if (kind === LABEL.none) return null;
  if (kind === LABEL.zero) return 0;
  if (kind === LABEL.one) return 1;
  if (kind === LABEL.byte) return bytes[take(reading, 1)] as number;
  if (kind === LABEL.float32) return bytes.readFloatLE(take(reading, 4));
  if (kind === LABEL.float64) return bytes.readDoubleLE(take(reading, 8));
  if (kind === LABEL.list32) return [...readFloats32(reading, readVarint(reading))];
  if (kind === LABEL.list64) {
    const length = readVarint(reading);
    const start = take(reading, length * 8);
    return Array.from({ length }, (_, index) => bytes.readDoubleLE(start + index * 8));
  }
  throw corrupt(`a label has the unknown kind ${kind}`);
}

export function skipLabel(reading: Reading, kind: number): void {
  if (kind <= LABEL.one) return;
  if (kind === LABEL.byte) take(reading, 1);
  else if (kind === LABEL.float32) take(reading, 4);
  else if (kind === LABEL.float64) take(reading, 8);
  else if (kind === LABEL.list32) take(reading, readVarint(reading) * 4);
  else if (kind === LABEL.list64) take(reading, readVarint(reading) * 8);
  else throw corrupt(`a label has the unknown kind ${kind}`);
}
