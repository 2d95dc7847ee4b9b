import type { SampleRecord, StoredLabel } from "../dataset-records.js";
import { corrupt, finish, type Reading, readVarint, take } from "./bytes.js";
import { copy, readLabel, readSignals, skipLabel } from "./sample.js";
import type { Shape } from "./shape.js";

// The layout of version 1a1e855, which is only read. `assay upgrade` rewrites it.
//
//     head (1 byte)     layout version 1 (high nibble), number of weights (low nibble)
//     weights           each: snapshot version (varint), weight (float32)
//     shape             varint
//     body              label kind and flags (1 byte), outputs key (16), time (6), label, group (varint length, UTF-8), signals

export const FIRST_LAYOUT = 1;
const FIXED_BYTES = 1 + 16 + 6;
const HAS_GROUP = 0x10;

/** Skips the weights. Returns the weight in the snapshot of this version; NaN if there is none. */
export function readFirstWeight(reading: Reading, count: number, snapshot: number): number {
  let weight = Number.NaN;
  for (let left = count; left > 0; left--) {
    const version = readVarint(reading);
    const at = take(reading, 4);
    if (version === snapshot) weight = reading.bytes.readFloatLE(at);
  }
  return weight;
}

/** Reads the body. The group is the text that was sent. @throws AssayError `store_corrupt` if the bytes do not fit */
export function decodeFirstSample(reading: Reading, shape: Shape): SampleRecord {
  const { bytes } = reading;
  const kind = bytes[take(reading, 1)] as number;
  const outputsKey = copy(reading, 16);
  const scoredAtMs = bytes.readUIntLE(take(reading, 6), 6);
  const label = readLabel(reading, kind & 0x0f);
  const group = readGroup(reading, kind & 0xf0);
  const signals = readSignals(reading, shape);
  const { model, loss, precision, directions, source, observed, earlier } = shape;
  const shared = { model, loss, precision, directions, source, observed, earlier };
  return { ...shared, outputsKey, textDigest: null, label, group, signals, scoredAtMs };
}

/** Skips everything before the signals. Returns the offset of the first signal. */
export function skipToFirstSignals(reading: Reading, { signals }: Shape): number {
  const kind = reading.bytes[take(reading, FIXED_BYTES)] as number;
  skipLabel(reading, kind & 0x0f);
  readGroup(reading, kind & 0xf0);
  const first = take(reading, signals.length * 4);
  finish(reading);
  return first;
}

/** Reads the label alone. */
export function labelOfFirst(reading: Reading): StoredLabel {
  const kind = reading.bytes[take(reading, FIXED_BYTES)] as number;
  return readLabel(reading, kind & 0x0f);
}

function readGroup(reading: Reading, flags: number): string | null {
  if (flags === 0) return null;
  if (flags !== HAS_GROUP) throw corrupt(`a sample has the unknown flags ${flags}`);
  const start = take(reading, readVarint(reading));
  return reading.bytes.toString("utf8", start, reading.at);
}
