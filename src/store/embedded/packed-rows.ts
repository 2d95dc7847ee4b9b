import { historyBytes, writeHistory } from "../codec/history.js";
import { sampleBytes, writeSample } from "../codec/sample.js";
import type { ShapeText } from "../codec/shape.js";
import { headBytes, writeHead } from "../codec/stored.js";
import type { SampleHistory, SampleRecord } from "../dataset-records.js";

/** Most bytes of what stands before a body: version, number and shape. */
const HEAD_BYTES_MAX = 11;
/** Bytes that are allocated for each row at first. */
const ROW_BYTES = 96;

/** What happens to the history of a row. */
const HISTORY = { stays: 0, put: 1, removed: 2 } as const;

/**
 * Samples and histories that are to be written, packed one after another into one buffer. A buffer or a record for each would
 * live until the commit, and the garbage collector would take longer than all else that a writing does.
 */
export interface PackedRows {
  /** Packs a sample into a row. A row that is packed again is replaced. */
  pack(
    row: number,
    sample: { readonly number: number; readonly record: SampleRecord },
    shape: Pick<ShapeText, "place" | "order">,
  ): void;
  /** Packs the row's new history; null removes it. */
  packHistory(row: number, history: SampleHistory | null): void;
  numberOf(row: number): number;
  /** `ShapeText.place` of the row's shape. */
  shapeOf(row: number): number;
  /** The stored form of the sample. @param shape the number of its shape in the dataset */
  sample(row: number, shape: number): Buffer;
  /** The stored form of its history; null if it is to be removed, undefined if it stays as it is. */
  history(row: number): Buffer | null | undefined;
}

/** @param count the most rows */
export function openPackedRows(count: number): PackedRows {
  let bytes = Buffer.allocUnsafeSlow(count * ROW_BYTES);
  let used = 0;
  const numbers = new Uint32Array(count);
  const shapes = new Uint32Array(count);
  const [bodies, histories] = [spansOf(count), spansOf(count)];
  const changes = new Uint8Array(count);

  /** Room for `length` bytes; returns its offset. */
  function reserve(length: number): number {
    const at = used;
    used += length;
    if (used > bytes.length) {
      const larger = Buffer.allocUnsafeSlow(2 * used);
      bytes.copy(larger, 0, 0, at);
      bytes = larger;
    }
    return at;
  }

  return {
    pack(row, { number, record }, { place, order }) {
      const at = reserve(HEAD_BYTES_MAX + sampleBytes(record, order.length)) + HEAD_BYTES_MAX;
      numbers[row] = number;
      shapes[row] = place;
      changes[row] = HISTORY.stays;
      bodies.from[row] = at;
      bodies.to[row] = writeSample(bytes, record, order, at);
    },
    packHistory(row, history) {
      changes[row] = history === null ? HISTORY.removed : HISTORY.put;
      if (history === null) return;
      const at = reserve(historyBytes(history));
      histories.from[row] = at;
      histories.to[row] = writeHistory(bytes, history, at);
    },
    numberOf: (row) => numbers[row] as number,
    shapeOf: (row) => shapes[row] as number,
    sample(row, shape) {
      const number = numbers[row] as number;
      // The number of a new shape is known only now, so the head is written up to the body.
      const start = (bodies.from[row] as number) - headBytes(number, shape);
      writeHead(bytes, number, shape, start);
      return bytes.subarray(start, bodies.to[row]);
    },
    history(row) {
      if (changes[row] === HISTORY.stays) return undefined;
      return changes[row] === HISTORY.removed ? null : bytes.subarray(histories.from[row], histories.to[row]);
    },
  };
}

function spansOf(count: number): { readonly from: Uint32Array; readonly to: Uint32Array } {
  return { from: new Uint32Array(count), to: new Uint32Array(count) };
}
