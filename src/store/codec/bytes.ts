import { AssayError } from "../../errors.js";

/** Bytes that a varint of `value` takes: 7 bits each. */
export function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Writes `value` (an integer ≥ 0) in 7-bit groups, lowest first; returns the offset after it. */
export function writeVarint(target: Buffer, value: number, at: number): number {
  let rest = value;
  let offset = at;
  while (rest >= 0x80) {
    target[offset++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[offset++] = rest;
  return offset;
}

const floatBytes = new Uint8Array(4);
const float = new DataView(floatBytes.buffer);

/** Writes a float32 in little-endian order; returns the offset after it. `Buffer.writeFloatLE` checks its arguments, and takes longer. */
export function writeFloat32(target: Uint8Array, value: number, at: number): number {
  float.setFloat32(0, value, true);
  target[at] = floatBytes[0] as number;
  target[at + 1] = floatBytes[1] as number;
  target[at + 2] = floatBytes[2] as number;
  target[at + 3] = floatBytes[3] as number;
  return at + 4;
}

/** The position of a decoder in its bytes. Every read advances `at` and throws if it would pass `end`. */
export interface Reading {
  readonly bytes: Buffer;
  readonly end: number;
  at: number;
}

/** Takes the next `length` bytes. Returns the offset of the first. */
export function take(reading: Reading, length: number): number {
  const start = reading.at;
  if (start + length > reading.end) throw corrupt("a record ends too early");
  reading.at = start + length;
  return start;
}

export function readVarint(reading: Reading): number {
  let value = 0;
  for (let scale = 1; scale <= 2 ** 42; scale *= 0x80) {
    const byte = reading.bytes[take(reading, 1)] as number;
    value += (byte % 0x80) * scale;
    if (byte < 0x80) return value;
  }
  throw corrupt("a number is too long");
}

/** `Float32Array` of `length` values in little-endian order. */
export function readFloats32(reading: Reading, length: number): Float32Array {
  const start = take(reading, length * 4);
  const values = new Float32Array(length);
  for (let index = 0; index < length; index++) values[index] = reading.bytes.readFloatLE(start + index * 4);
  return values;
}

/** Throws `store_corrupt` if bytes are left that belong to no field of the record. */
export function finish(reading: Reading): void {
  if (reading.at !== reading.end) throw corrupt("a record has bytes left over");
}

export function corrupt(detail: string): AssayError {
  return new AssayError("store_corrupt", { detail: `The store cannot be read: ${detail}` });
}
