import {
  Bool,
  type Data,
  Field,
  Float32,
  Float64,
  List,
  makeData,
  TimestampMillisecond,
  Utf8,
} from "apache-arrow";

/** The types of the columns that answers have. */
export const UTF8 = new Utf8();
export const FLOAT32 = new Float32();
export const FLOAT64 = new Float64();
export const BOOL = new Bool();
export const TIME = new TimestampMillisecond("UTC");
export const FLOAT64_LIST = new List(new Field("item", FLOAT64, false));

/** Texts; null where there is none. */
export function textData(texts: readonly (string | null)[]): Data<Utf8> {
  const joined = texts.join(""); // null is ""
  const bytes = Buffer.from(joined);
  // In ASCII a character is a byte.
  const isAscii = bytes.length === joined.length;
  const offsets = new Int32Array(texts.length + 1);
  let end = 0;
  for (let row = 0; row < texts.length; row++) {
    const text = texts[row] ?? "";
    end += isAscii ? text.length : Buffer.byteLength(text);
    offsets[row + 1] = end;
  }
  const validity = validityOf(texts.length, (row) => texts[row] !== null);
  return makeData({ type: UTF8, length: texts.length, valueOffsets: offsets, data: bytes, ...validity });
}

/** Numbers; NaN where there is none. */
export function float32Data(values: Float32Array): Data<Float32> {
  const validity = validityOf(values.length, (row) => !Number.isNaN(values[row] as number));
  return makeData({ type: FLOAT32, length: values.length, data: values, ...validity });
}

/** Numbers; NaN where there is none. */
export function float64Data(values: Float64Array): Data<Float64> {
  const validity = validityOf(values.length, (row) => !Number.isNaN(values[row] as number));
  return makeData({ type: FLOAT64, length: values.length, data: values, ...validity });
}

/** @param timesMs milliseconds since the epoch; there is one in every row */
export function timeData(timesMs: Float64Array): Data<TimestampMillisecond> {
  const data = BigInt64Array.from(timesMs, BigInt);
  return makeData({ type: TIME, length: timesMs.length, data, nullCount: 0 });
}

export function boolData(values: readonly boolean[]): Data<Bool> {
  const data = bitsOf(values.length, (row) => values[row] as boolean);
  return makeData({ type: BOOL, length: values.length, data, nullCount: 0 });
}

/** Lists of numbers; null where there is none. */
export function listData(lists: readonly (ArrayLike<number> | null)[]): Data<List<Float64>> {
  const offsets = new Int32Array(lists.length + 1);
  for (let row = 0; row < lists.length; row++)
    offsets[row + 1] = (offsets[row] as number) + (lists[row]?.length ?? 0);
  const items = new Float64Array(offsets[lists.length] as number);
  for (let row = 0; row < lists.length; row++) items.set(lists[row] ?? [], offsets[row]);
  const validity = validityOf(lists.length, (row) => lists[row] !== null);
  const child = makeData({ type: FLOAT64, length: items.length, data: items, nullCount: 0 });
  return makeData({ type: FLOAT64_LIST, length: lists.length, valueOffsets: offsets, child, ...validity });
}

/** The bitmap of the rows that have a value; without one if all have. */
function validityOf(
  count: number,
  isValid: (row: number) => boolean,
): { nullCount: number; nullBitmap?: Uint8Array } {
  let nullCount = 0;
  for (let row = 0; row < count; row++) if (!isValid(row)) nullCount += 1;
  return nullCount === 0 ? { nullCount } : { nullCount, nullBitmap: bitsOf(count, isValid) };
}

/** Bits from the lowest of each byte on. */
function bitsOf(count: number, isSet: (row: number) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(count / 8));
  for (let row = 0; row < count; row++)
    if (isSet(row)) bits[row >> 3] = (bits[row >> 3] as number) | (1 << (row & 7));
  return bits;
}
