import { OUTPUTS_PARTS, type OutputsPart, type OutputsRecord } from "../port.js";
import { corrupt, finish, type Reading, readFloats32, take } from "./bytes.js";
import { fromFloat16, toFloat16 } from "./float16.js";

/** Version 1: only logits and ‖h‖². Records that were written before version 2 existed can be read. */
const PLAIN = 1;
/** Version 2: with K and any of the parts except an embedding. */
const WITH_PARTS = 2;
/** Version 3: the same with an embedding, and its D after K. The flags have no bit left for it. */
const WITH_EMBEDDING = 3;

/** Bytes before the logits, by version. */
const HEAD_BYTES = { [PLAIN]: 5, [WITH_PARTS]: 7, [WITH_EMBEDDING]: 9 } as const;

const TRUNCATED = 1;

interface Packing {
  /** The bit that says that the record has the part. It is in a nibble whose lowest bit is `TRUNCATED`. 0: the version says it. */
  readonly flag: number;
  /** The number of its values for K logits and an embedding of D. Null means all bytes that are left, so this part comes last. */
  readonly values: ((classes: number, embedding: number) => number) | null;
  /** Bytes of one value. */
  readonly bytes: number;
  write(bytes: Buffer, values: Float32Array, at: number): number;
  read(reading: Reading, count: number): Float32Array;
}

const FLOAT32 = { bytes: 4, write: writeFloats32, read: readFloats32 };
const FLOAT16 = { bytes: 2, write: writeFloats16, read: readFloats16 };

/** The parts in the order in which they are packed. */
const PACKING: Readonly<Record<OutputsPart, Packing>> = {
  gram: { ...FLOAT32, flag: 2, values: (classes) => classes * classes },
  tangent: { ...FLOAT32, flag: 4, values: (classes) => classes },
  embedding: { ...FLOAT16, flag: 0, values: (_, embedding) => embedding },
  features: { ...FLOAT16, flag: 8, values: null },
};

/**
 * Packs outputs as: version and flags (1 byte, one nibble each), K (uint16, only if there are parts), D (uint16, only with an
 * embedding), ‖h‖² (float32), logits (K float32), then the parts that flags and version name, in the format of `PACKING`. Without
 * parts, K follows from the length. So a record with one logit takes 9 bytes, and with a gram 15.
 */
export function encodeOutputs(record: OutputsRecord): Buffer {
  const { logits, featureNormSquared, truncated, embedding } = record;
  const parts = OUTPUTS_PARTS.filter((part) => record[part] !== undefined);
  const size = (part: OutputsPart): number => PACKING[part].bytes * (record[part] as Float32Array).length;
  const flags = parts.reduce((all, part) => all | PACKING[part].flag, truncated ? TRUNCATED : 0);
  const isPlain = parts.length === 0;
  const version = isPlain ? PLAIN : embedding === undefined ? WITH_PARTS : WITH_EMBEDDING;
  const length = HEAD_BYTES[version] + 4 * logits.length;
  const bytes = Buffer.allocUnsafe(parts.reduce((total, part) => total + size(part), length));
  bytes[0] = (version << 4) | flags;
  let at = isPlain ? 1 : bytes.writeUInt16LE(logits.length, 1);
  if (embedding !== undefined) at = bytes.writeUInt16LE(embedding.length, at);
  at = bytes.writeFloatLE(featureNormSquared, at);
  at = writeFloats32(bytes, logits, at);
  for (const part of parts) at = PACKING[part].write(bytes, record[part] as Float32Array, at);
  return bytes;
}

/** @throws AssayError `store_corrupt` if the version is not known or the length does not fit. */
export function decodeOutputs(bytes: Buffer): OutputsRecord {
  const reading: Reading = { bytes, at: 0, end: bytes.length };
  const head = bytes[take(reading, 1)] as number;
  const version = head >> 4;
  const flags = head & 0x0f;
  const truncated = (flags & TRUNCATED) !== 0;
  if (version === PLAIN && flags <= TRUNCATED) {
    const featureNormSquared = bytes.readFloatLE(take(reading, 4));
    const logits = readFloats32(reading, Math.floor((reading.end - reading.at) / 4));
    finish(reading);
    return { logits, featureNormSquared, truncated };
  }
  if (version !== WITH_PARTS && version !== WITH_EMBEDDING)
    throw corrupt(`an outputs record has the unknown head ${head}`);
  const hasEmbedding = version === WITH_EMBEDDING;
  const classes = bytes.readUInt16LE(take(reading, 2));
  const size = hasEmbedding ? bytes.readUInt16LE(take(reading, 2)) : 0;
  const featureNormSquared = bytes.readFloatLE(take(reading, 4));
  const logits = readFloats32(reading, classes);
  const parts: { [P in OutputsPart]?: Float32Array } = {};
  for (const part of OUTPUTS_PARTS) {
    const { flag, values, bytes: each, read } = PACKING[part];
    if (flag === 0 ? !hasEmbedding : (flags & flag) === 0) continue;
    parts[part] = read(reading, values?.(classes, size) ?? Math.floor((reading.end - reading.at) / each));
  }
  finish(reading);
  return { logits, featureNormSquared, truncated, ...parts };
}

function writeFloats32(bytes: Buffer, values: Float32Array, from: number): number {
  let at = from;
  for (let index = 0; index < values.length; index++) at = bytes.writeFloatLE(values[index] as number, at);
  return at;
}

function writeFloats16(bytes: Buffer, values: Float32Array, from: number): number {
  let at = from;
  for (const value of values) at = bytes.writeUInt16LE(toFloat16(value), at);
  return at;
}

function readFloats16(reading: Reading, count: number): Float32Array {
  const values = new Float32Array(count);
  const start = take(reading, count * 2);
  for (let index = 0; index < count; index++) {
    values[index] = fromFloat16(reading.bytes.readUInt16LE(start + index * 2));
  }
  return values;
}
