import type { SampleRecord, StoredLabel } from "../port.js";
import {
  corrupt,
  finish,
  type Reading,
  readFloats32,
  readVarint,
  take,
  varintLength,
  writeVarint,
} from "./bytes.js";
import type { Shape } from "./shape.js";

const OUTPUTS_KEY_BYTES = 16;
/** Kind, key and time. The time is milliseconds since the epoch in 6 bytes. */
const FIXED_BYTES = 1 + OUTPUTS_KEY_BYTES + 6;

/** How a label is packed: the low nibble of a record's first byte. Most labels are 0 and 1, which take no further bytes. */
const LABEL = { none: 0, zero: 1, one: 2, byte: 3, float32: 4, float64: 5, list32: 6, list64: 7 } as const;
const HAS_GROUP = 0x10;

/**
 * Packs what a sample does not share with others: label kind and flags (1 byte), outputs key (16), time (6), label, group,
 * signals (one float32 for each name of the shape). `signals` are the shape's names. A label is kept exactly.
 */
export function encodeSample(record: SampleRecord, signals: readonly string[]): Buffer {
  const { label, outputsKey } = record;
  if (outputsKey.length !== OUTPUTS_KEY_BYTES) throw new RangeError("an outputs key has 16 bytes");
  const kind = labelKind(label);
  const group = record.group === null ? null : Buffer.from(record.group, "utf8");
  const groupBytes = group === null ? 0 : varintLength(group.length) + group.length;
  const bytes = Buffer.allocUnsafe(FIXED_BYTES + labelBytes(kind, label) + groupBytes + signals.length * 4);
  bytes[0] = kind | (group === null ? 0 : HAS_GROUP);
  outputsKey.copy(bytes, 1);
  bytes.writeUIntLE(record.scoredAtMs, 1 + OUTPUTS_KEY_BYTES, 6);
  let at = writeLabel(bytes, kind, label, FIXED_BYTES);
  if (group !== null) {
    at = writeVarint(bytes, group.length, at);
    at += group.copy(bytes, at);
  }
  for (const name of signals) at = bytes.writeFloatLE(record.signals.get(name) as number, at);
  return bytes;
}

/** Reads to the end of `reading`. @throws AssayError `store_corrupt` if the bytes do not fit */
export function decodeSample(reading: Reading, shape: Shape): SampleRecord {
  const { bytes } = reading;
  const start = take(reading, FIXED_BYTES);
  const kind = bytes[start] as number;
  const outputsKey = Buffer.allocUnsafe(OUTPUTS_KEY_BYTES);
  bytes.copy(outputsKey, 0, start + 1, start + 1 + OUTPUTS_KEY_BYTES);
  const scoredAtMs = bytes.readUIntLE(start + 1 + OUTPUTS_KEY_BYTES, 6);
  const label = readLabel(reading, kind & 0x0f);
  const group = readGroup(reading, kind & 0xf0);
  const first = take(reading, shape.signals.length * 4);
  finish(reading);
  const signals = new Map<string, number>();
  for (let index = 0; index < shape.signals.length; index++) {
    signals.set(shape.signals[index] as string, bytes.readFloatLE(first + index * 4));
  }
  const { model, loss, directions } = shape;
  return { outputsKey, model, loss, directions, label, group, signals, scoredAtMs };
}

/**
 * Skips everything before the signals, which reach to the end of `reading`. Returns the offset of the first signal.
 * @throws AssayError `store_corrupt` if the bytes do not fit
 */
export function skipToSignals(reading: Reading, { signals }: Shape): number {
  const kind = reading.bytes[take(reading, FIXED_BYTES)] as number;
  skipLabel(reading, kind & 0x0f);
  skipGroup(reading, kind & 0xf0);
  const first = take(reading, signals.length * 4);
  finish(reading);
  return first;
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

function readLabel(reading: Reading, kind: number): StoredLabel {
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

function skipLabel(reading: Reading, kind: number): void {
  if (kind <= LABEL.one) return;
  if (kind === LABEL.byte) take(reading, 1);
  else if (kind === LABEL.float32) take(reading, 4);
  else if (kind === LABEL.float64) take(reading, 8);
  else if (kind === LABEL.list32) take(reading, readVarint(reading) * 4);
  else if (kind === LABEL.list64) take(reading, readVarint(reading) * 8);
  else throw corrupt(`a label has the unknown kind ${kind}`);
}

function readGroup(reading: Reading, flags: number): string | null {
  const start = skipGroup(reading, flags);
  return start === null ? null : reading.bytes.toString("utf8", start, reading.at);
}

/** Skips the group. Returns the offset of its bytes, which end at `reading.at`; null if there is no group. */
function skipGroup(reading: Reading, flags: number): number | null {
  if (flags === 0) return null;
  if (flags !== HAS_GROUP) throw corrupt(`a sample has the unknown flags ${flags}`);
  return take(reading, readVarint(reading));
}
