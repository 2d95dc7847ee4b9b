import type { SampleHistory } from "../dataset-records.js";
import { corrupt, finish, type Reading, readVarint, take, varintLength, writeVarint } from "./bytes.js";
import { fromFloat16, toFloat16 } from "./float16.js";

/** Version of the layout: the high nibble of the first byte. */
const LAYOUT = 1;
/** Flags in the low nibble of the first byte. */
const HAS_MERGED = 0x1;

/**
 * Packs a history:
 *
 *     head (1 byte)     layout version (high nibble), flags (low nibble)
 *     K                 varint
 *     merged part       if flagged: number of its last checkpoint, n, predicted class (varints), C times how often a class was left
 *                       (varints), 3K sums (float64)
 *     each checkpoint   its number minus the number before it, zigzag (varint; the first minus 0), K logits (float16)
 *
 * A checkpoint of one logit therefore takes 3 bytes, also beyond the 64th checkpoint of a dataset.
 */
export function encodeHistory(history: SampleHistory): Buffer {
  const bytes = Buffer.allocUnsafe(historyBytes(history));
  writeHistory(bytes, history, 0);
  return bytes;
}

/** Bytes that the packed history takes. */
export function historyBytes({ classes, checkpoints, logits, merged }: SampleHistory): number {
  let length = 1 + varintLength(classes) + (merged === null ? 0 : mergedBytes(merged)) + 2 * logits.length;
  for (let index = 0; index < checkpoints.length; index++)
    length += varintLength(difference(checkpoints, index));
  return length;
}

/** Packs the history into `bytes` from `start` on, which has room for `historyBytes`. Returns the offset after it. */
export function writeHistory(
  bytes: Buffer,
  { classes, checkpoints, logits, merged }: SampleHistory,
  start: number,
): number {
  bytes[start] = (LAYOUT << 4) | (merged === null ? 0 : HAS_MERGED);
  let at = writeVarint(bytes, classes, start + 1);
  if (merged !== null) at = writeMerged(bytes, merged, at);
  for (let index = 0; index < checkpoints.length; index++) {
    at = writeVarint(bytes, difference(checkpoints, index), at);
    for (let k = 0; k < classes; k++) {
      const half = toFloat16(logits[index * classes + k] as number);
      bytes[at++] = half & 0xff;
      bytes[at++] = half >>> 8;
    }
  }
  return at;
}

/** @throws AssayError `store_corrupt` if the bytes are no history */
export function decodeHistory(bytes: Buffer, start = 0, end = bytes.length): SampleHistory {
  const reading: Reading = { bytes, at: start, end };
  const head = bytes[take(reading, 1)] as number;
  if (head >> 4 !== LAYOUT) throw corrupt(`a history has the unknown layout ${head >> 4}`);
  if ((head & 0x0f & ~HAS_MERGED) !== 0) throw corrupt(`a history has the unknown flags ${head & 0x0f}`);
  const classes = readVarint(reading);
  if (classes === 0) throw corrupt("a history has no logits");
  const merged = head & HAS_MERGED ? readMerged(reading, classes) : null;
  const checkpoints: number[] = [];
  const logits: number[] = [];
  for (let last = 0; reading.at < end; ) {
    last += unzigzag(readVarint(reading));
    checkpoints.push(last);
    const first = take(reading, 2 * classes);
    for (let k = 0; k < classes; k++) logits.push(fromFloat16(bytes.readUInt16LE(first + 2 * k)));
  }
  finish(reading);
  return { classes, checkpoints, logits, merged };
}

/** A number minus the number before it, zigzag. */
function difference(numbers: readonly number[], index: number): number {
  // No `numbers[-1]`: a read outside of a list takes longer than packing the whole history.
  const before = index === 0 ? 0 : (numbers[index - 1] as number);
  const change = (numbers[index] as number) - before;
  return change < 0 ? -2 * change - 1 : 2 * change;
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

type Merged = NonNullable<SampleHistory["merged"]>;

function mergedBytes({ through, count, predicted, left, sums }: Merged): number {
  const varints = [through, count, predicted, ...left];
  return varints.reduce((bytes, value) => bytes + varintLength(value), 8 * sums.length);
}

function writeMerged(
  bytes: Buffer,
  { through, count, predicted, left, sums }: Merged,
  start: number,
): number {
  let at = start;
  for (const value of [through, count, predicted, ...left]) at = writeVarint(bytes, value, at);
  for (const sum of sums) at = bytes.writeDoubleLE(sum, at);
  return at;
}

function readMerged(reading: Reading, classes: number): Merged {
  const through = readVarint(reading);
  const count = readVarint(reading);
  const predicted = readVarint(reading);
  const left = Array.from({ length: Math.max(2, classes) }, () => readVarint(reading));
  const first = take(reading, 8 * 3 * classes);
  const sums = Array.from({ length: 3 * classes }, (_, index) =>
    reading.bytes.readDoubleLE(first + 8 * index),
  );
  return { through, classes, count, predicted, left, sums };
}
