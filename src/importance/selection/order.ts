import { positionsWhere } from "./positions.js";

/** Below this size a comparison sort is faster than clearing the counters of a radix sort. */
const RADIX_MIN = 4096;
const DIGITS = 2 ** 16;

/**
 * (n) The positions of the values in ascending order; equal values keep their order. −0 equals 0.
 *
 * A radix sort of the values' bits in four passes of 16 bits, because a comparison sort takes ten times as long. Memory: 16
 * bytes a value.
 *
 * @param values (n), no NaN
 */
export function orderOf(values: Float64Array): Uint32Array {
  const order = positionsWhere(values.length, () => true);
  if (values.length < RADIX_MIN) {
    return order.sort((a, b) => (values[a] as number) - (values[b] as number));
  }
  return radixOrder(sortableWords(values), order);
}

/** (2n) For each value 64 bits that sort like it, as a low and a high word. */
function sortableWords(values: Float64Array): Uint32Array {
  const plain = values.map((value) => value + 0); // −0 + 0 is 0
  const words = new Uint32Array(plain.buffer);
  const low = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 0 : 1; // by the machine's byte order
  for (let at = 0; at < words.length; at += 2) {
    const lowWord = words[at + low] as number;
    const highWord = words[at + 1 - low] as number;
    const negative = highWord >>> 31 === 1;
    words[at] = negative ? ~lowWord : lowWord;
    words[at + 1] = negative ? ~highWord : highWord ^ 0x80000000;
  }
  return words;
}

function radixOrder(words: Uint32Array, order: Uint32Array): Uint32Array {
  const places = new Uint32Array(DIGITS);
  let from: Uint32Array = order;
  let to: Uint32Array = new Uint32Array(order.length);
  for (let pass = 0; pass < 4; pass += 1) {
    const half = pass >> 1;
    const shift = 16 * (pass & 1);
    places.fill(0);
    for (let at = half; at < words.length; at += 2) {
      const digit = ((words[at] as number) >>> shift) & 0xffff;
      places[digit] = (places[digit] as number) + 1;
    }
    let before = 0;
    for (let digit = 0; digit < DIGITS; digit += 1) {
      const count = places[digit] as number;
      places[digit] = before;
      before += count;
    }
    for (let rank = 0; rank < from.length; rank += 1) {
      const position = from[rank] as number;
      const digit = ((words[2 * position + half] as number) >>> shift) & 0xffff;
      const place = places[digit] as number;
      to[place] = position;
      places[digit] = place + 1;
    }
    [from, to] = [to, from];
  }
  return from;
}
