import { isAscii, isUtf8 } from "node:buffer";
import { type Data, DataType, Vector } from "apache-arrow";
import { bodyFault } from "../../errors.js";
import { notArrow } from "./metadata.js";

/** Reads the value of a column in a row; undefined where it is null. */
export type ReadCell = (row: number) => unknown;

/** Types that the columns may have, in words. */
const TEXT_TYPES = "Utf8, LargeUtf8 or a dictionary of them";
const NUMBER_TYPES = "a float, an integer or a boolean";

/**
 * A reader of a column of texts. The bytes are checked, because decoding bytes that are not UTF-8 would score texts other than
 * those that were sent. Throws `invalid_request` for another type, for bytes that are not UTF-8, and for offsets that lead out of
 * the column.
 */
export function textCells(name: string, column: Vector, rows: number): ReadCell {
  const data = dataOf(name, column, rows);
  const { type } = data;
  if (DataType.isNull(type)) return () => undefined;
  if (DataType.isDictionary(type)) {
    const { dictionary } = data;
    if (dictionary === undefined)
      throw notArrow(`the dictionary of column ${JSON.stringify(name)} is missing`);
    const textAt = dictionaryTexts(name, dictionary);
    return nullable(data, (row) => {
      const text = textAt(Number(data.values[row]));
      if (text === undefined)
        throw notArrow(`column ${JSON.stringify(name)} names no entry of its dictionary`);
      return text ?? undefined;
    });
  }
  if (!DataType.isUtf8(type) && !DataType.isLargeUtf8(type)) throw wrongType(name, type, TEXT_TYPES);
  return nullable(data, plainTexts(name, data, rows));
}

type ReadEntry = (index: number) => string | null | undefined;

/** Readers of dictionaries that record batches share: a stream may have thousands of small batches and a large dictionary. */
const dictionaries = new WeakMap<Vector, ReadEntry>();

/** Reads an entry of a dictionary: null where the dictionary has a null, undefined without such an entry. Each is decoded once. */
function dictionaryTexts(name: string, dictionary: Vector): ReadEntry {
  const known = dictionaries.get(dictionary);
  if (known !== undefined) return known;
  // Delta dictionaries are refused, so the values are in one piece.
  const data = dataOf(name, dictionary, dictionary.length);
  if (!DataType.isUtf8(data.type) && !DataType.isLargeUtf8(data.type))
    throw wrongType(name, data.type, TEXT_TYPES);
  const { bytes, offsets } = textBytes(name, data, data.length);
  const texts = new Array<string | null | undefined>(data.length);
  const read: ReadEntry = (index) => {
    if (!Number.isInteger(index) || index < 0 || index >= data.length) return undefined;
    texts[index] ??= data.getValid(index) ? bytes.toString("utf8", offsets[index], offsets[index + 1]) : null;
    return texts[index];
  };
  dictionaries.set(dictionary, read);
  return read;
}

/** Rows whose texts are decoded at once. */
const BLOCK_ROWS = 512;

/** The bytes of texts (N) and their offsets (N + 1), which have been checked. */
function textBytes(
  name: string,
  { values, valueOffsets }: Data,
  rows: number,
): { readonly bytes: Buffer; readonly offsets: Int32Array } {
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const offsets = offsetsOf(valueOffsets, rows);
  for (let row = 0; row < rows; row++) {
    const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
    if (start < 0 || end < start || end > bytes.length)
      throw notArrow(`the offsets of column ${JSON.stringify(name)} lead out of it`);
    // The bytes of the column may be UTF-8 as a whole although a text begins in the middle of a character.
    if (end > start && ((bytes[start] as number) & 0xc0) === 0x80) throw notUtf8(name);
  }
  if (!isUtf8(bytes.subarray(offsets[0], offsets[rows]))) throw notUtf8(name);
  return { bytes, offsets };
}

function plainTexts(name: string, data: Data, rows: number): (row: number) => string {
  const { bytes, offsets } = textBytes(name, data, rows);
  // Where a block of texts is ASCII, a byte is a character. To cut a text out of a string costs a tenth of decoding it.
  let block = "";
  let first = 0;
  let isAsciiBlock = false;
  let end = 0;
  return (row) => {
    if (row < first || row >= end) {
      first = row - (row % BLOCK_ROWS);
      end = Math.min(first + BLOCK_ROWS, rows);
      const [from, to] = [offsets[first] as number, offsets[end] as number];
      isAsciiBlock = isAscii(bytes.subarray(from, to));
      block = isAsciiBlock ? bytes.toString("latin1", from, to) : "";
    }
    const [from, to] = [offsets[row] as number, offsets[row + 1] as number];
    if (!isAsciiBlock) return bytes.toString("utf8", from, to);
    const start = offsets[first] as number;
    return block.substring(from - start, to - start);
  };
}

/** Offsets as 32-bit numbers; −1 for one that is missing or too large. */
function offsetsOf(offsets: ArrayLike<number | bigint>, rows: number): Int32Array {
  if (offsets instanceof Int32Array && offsets.length > rows) return offsets;
  const numbers = new Int32Array(rows + 1);
  for (let row = 0; row <= rows; row++) {
    const offset = Number(offsets[row] ?? -1);
    numbers[row] = offset <= OFFSET_MAX ? offset : -1;
  }
  return numbers;
}

const OFFSET_MAX = 2 ** 31 - 1;

/** A reader of a column of numbers. A boolean is 0 or 1. Throws `invalid_request` for another type. */
export function numberCells(name: string, column: Vector, rows: number): ReadCell {
  const data = dataOf(name, column, rows);
  const { type } = data;
  if (DataType.isNull(type)) return () => undefined;
  if (!isNumeric(type)) throw wrongType(name, type, NUMBER_TYPES);
  const { values } = data;
  // The package's way to a value takes several times as long.
  const isPlain =
    values instanceof Float32Array || values instanceof Float64Array || values instanceof Int32Array;
  return nullable(data, isPlain ? (row) => values[row] : (row) => Number(column.get(row)));
}

/** One more than a label may have, so that the schema refuses a longer list. */
const ITEMS_READ = 1025;

/** A reader of a column of labels: numbers, or lists of K probabilities. Throws `invalid_request` for another type. */
export function labelCells(name: string, column: Vector, rows: number): ReadCell {
  const data = dataOf(name, column, rows);
  const { type } = data;
  if (!DataType.isList(type) && !DataType.isFixedSizeList(type)) return numberCells(name, column, rows);
  const child = data.children[0];
  if (child === undefined || !isNumeric(child.type))
    throw wrongType(name, type, `${NUMBER_TYPES}, or a list of floats`);
  const items = new Vector([child]);
  const edge = (row: number): number =>
    DataType.isFixedSizeList(type) ? row * type.listSize : Number(data.valueOffsets[row]);
  return nullable(data, (row) => {
    const [start, end] = [edge(row), edge(row + 1)];
    const count = Math.min(Math.max(0, end - start), ITEMS_READ);
    return Array.from({ length: count }, (_, item) => {
      const value: unknown = items.get(start + item);
      return typeof value === "number" || typeof value === "bigint" ? Number(value) : null;
    });
  });
}

/** The data of a column, which has an entry for each row. */
function dataOf(name: string, column: Vector, rows: number): Data {
  const [data] = column.data;
  const isShort = (data: Data): boolean => {
    if (DataType.isNull(data.type)) return false;
    const needed = DataType.isBool(data.type) ? Math.ceil(rows / 8) : rows;
    const found = data.valueOffsets?.length ? data.valueOffsets.length - 1 : (data.values?.length ?? rows);
    return data.length < rows || found < needed;
  };
  if (data === undefined || isShort(data))
    throw notArrow(`column ${JSON.stringify(name)} is shorter than its record batch`);
  return data;
}

function nullable(data: Data, read: ReadCell): ReadCell {
  return data.nullCount === 0 ? read : (row) => (data.getValid(row) ? read(row) : undefined);
}

function isNumeric(type: DataType): boolean {
  return DataType.isFloat(type) || DataType.isInt(type) || DataType.isBool(type);
}

function wrongType(name: string, type: DataType, wanted: string): Error {
  return bodyFault(
    "invalid_request",
    `has the column ${JSON.stringify(name)} of type ${type}: send ${wanted}`,
  );
}

function notUtf8(name: string): Error {
  return bodyFault("invalid_request", `has bytes in the column ${JSON.stringify(name)} that are not UTF-8`);
}
