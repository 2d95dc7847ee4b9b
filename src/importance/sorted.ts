const BITS = 8;
const BUCKETS = 1 << BITS;
const WORD_DIGITS = 32 / BITS;

/** N values in ascending order. Equal values keep their order. */
export interface Sorted {
  readonly count: number;
  /** 32-bit words of a key, W: 1 if float32 holds every value, or else 2, the lower half first. */
  readonly keyWords: 1 | 2;
  /** (N, W + 1) row-major: key and index. Entries with equal keys are of equal values. */
  readonly entries: Uint32Array;
}

/**
 * Sorts values with their indices by a radix sort of the values' bits. The keys move along with the indices, so memory is read in
 * order: sorting indices with a comparator takes many times as long at a million. It needs 24 bytes a value, and holds 12; if float32
 * holds every value, as those that a store has kept, it needs 16 and holds 8.
 *
 * @param values (N), none NaN
 */
export function sorted(values: Float64Array): Sorted {
  const count = values.length;
  const keyWords = isFloat32(values) ? 1 : 2;
  const stride = keyWords + 1;
  let from = new Uint32Array(stride * count);
  let to = new Uint32Array(stride * count);
  const buckets = new Uint32Array(keyWords * WORD_DIGITS * BUCKETS);
  if (keyWords === 1) fillShort(from, values, buckets);
  else fillLong(from, values, buckets);
  for (let digit = 0; digit < keyWords * WORD_DIGITS; digit += 1) {
    const next = buckets.subarray(digit * BUCKETS, (digit + 1) * BUCKETS);
    if (!toStarts(next, count, stride)) continue;
    const word = Math.floor(digit / WORD_DIGITS);
    const shift = (digit % WORD_DIGITS) * BITS;
    for (let entry = 0; entry < from.length; entry += stride) {
      const bucket = ((from[entry + word] as number) >>> shift) & (BUCKETS - 1);
      const target = next[bucket] as number;
      next[bucket] = target + stride;
      to[target] = from[entry] as number;
      to[target + 1] = from[entry + 1] as number;
      if (stride === 3) to[target + 2] = from[entry + 2] as number;
    }
    [from, to] = [to, from];
  }
  return { count, keyWords, entries: from };
}

/** Index of the value at a place in the order. */
export function indexAt({ entries, keyWords }: Sorted, place: number): number {
  return entries[(keyWords + 1) * place + keyWords] as number;
}

/** Whether the values at two places of the order are equal. */
export function equalAt({ entries, keyWords }: Sorted, one: number, other: number): boolean {
  const [a, b] = [(keyWords + 1) * one, (keyWords + 1) * other];
  return entries[a] === entries[b] && (keyWords === 1 || entries[a + 1] === entries[b + 1]);
}

function isFloat32(values: Float64Array): boolean {
  for (let index = 0; index < values.length; index += 1)
    if (Math.fround(values[index] as number) !== values[index]) return false;
  return true;
}

/**
 * Writes an entry for each value and counts the digits of the keys. A key orders as an unsigned integer as its value does: the sign
 * bit of a value that is not negative is flipped, and every bit of a negative one. −0 has the key of 0.
 */
function fillLong(entries: Uint32Array, values: Float64Array, buckets: Uint32Array): void {
  const value = new Float64Array(1);
  const words = new Uint32Array(value.buffer);
  const [lower, upper] = LITTLE_ENDIAN ? [0, 1] : [1, 0];
  for (let index = 0; index < values.length; index += 1) {
    value[0] = (values[index] as number) + 0;
    const top = words[upper] as number;
    const flip = top >> 31;
    const entry = 3 * index;
    entries[entry] = (words[lower] as number) ^ flip;
    entries[entry + 1] = top ^ (flip | 0x80000000);
    entries[entry + 2] = index;
    countDigits(buckets, 0, entries[entry] as number);
    countDigits(buckets, WORD_DIGITS, entries[entry + 1] as number);
  }
}

/** The same of values that float32 holds. */
function fillShort(entries: Uint32Array, values: Float64Array, buckets: Uint32Array): void {
  const value = new Float32Array(1);
  const word = new Uint32Array(value.buffer);
  for (let index = 0; index < values.length; index += 1) {
    value[0] = (values[index] as number) + 0;
    const bits = word[0] as number;
    const entry = 2 * index;
    entries[entry] = bits ^ ((bits >> 31) | 0x80000000);
    entries[entry + 1] = index;
    countDigits(buckets, 0, entries[entry] as number);
  }
}

/** Counts the digits of one word of a key. */
function countDigits(buckets: Uint32Array, first: number, word: number): void {
  for (let digit = 0; digit < WORD_DIGITS; digit += 1) {
    const bucket = (first + digit) * BUCKETS + ((word >>> (digit * BITS)) & (BUCKETS - 1));
    buckets[bucket] = (buckets[bucket] as number) + 1;
  }
}

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** Turns the counts of one digit into the start of each bucket; false if all values are in one bucket, so nothing would move. */
function toStarts(buckets: Uint32Array, count: number, stride: number): boolean {
  let start = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
    const size = buckets[bucket] as number;
    if (size === count) return false;
    buckets[bucket] = start;
    start += stride * size;
  }
  return true;
}
