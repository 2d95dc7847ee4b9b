import type { Seed } from "./types.js";

/** A stream of random numbers. It reads only 32-bit integers and exact divisions, so every platform gives the same numbers. */
export interface Random {
  /** A whole number from 0 to 2^32 − 1. */
  word(): number;
  /** A multiple of 2^−53 in [0, 1). */
  uniform(): number;
  /** A whole number from 0 to count − 1, each with the same chance; count from 1 to 2^32. */
  below(count: number): number;
}

/** (4) The state, not all 0. */
export type RandomState = readonly [number, number, number, number];

/** The stream of a seed. Different purposes give independent streams of one seed. */
export function randomOf(seed: Seed, ...purpose: readonly (string | number)[]): Random {
  return randomFrom(stateOf(JSON.stringify([String(seed), ...purpose])));
}

/**
 * xoshiro128**: period 2^128 − 1, four words of state (Blackman & Vigna 2021, "Scrambled Linear Pseudorandom Number Generators",
 * ACM Transactions on Mathematical Software 47(4)).
 */
export function randomFrom(state: RandomState): Random {
  let [a, b, c, d] = state;
  function word(): number {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  }
  return {
    word,
    uniform: () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53,
    below: (count) => {
      // The words above the largest multiple of count would favour the small remainders.
      const limit = 2 ** 32 - (2 ** 32 % count);
      let drawn = word();
      while (drawn >= limit) drawn = word();
      return drawn % count;
    },
  };
}

/** The fractional bits of the golden ratio, odd: the step of SplitMix. */
const GOLDEN = 0x9e3779b9;

/**
 * A state from a text. Each of its four words is a hash of its own over the text's UTF-16 units: a SplitMix step (Steele, Lea &
 * Flood 2014, "Fast Splittable Pseudorandom Number Generators", OOPSLA) of 32 bits, with the finaliser of MurmurHash3.
 */
function stateOf(text: string): RandomState {
  const lane = (index: number): number => {
    let hash = mixed(Math.imul(GOLDEN, index + 1));
    for (let unit = 0; unit < text.length; unit += 1) {
      hash = mixed((hash ^ text.charCodeAt(unit)) + Math.imul(GOLDEN, index + 1));
    }
    return hash;
  };
  const [a, b, c, d] = [lane(0), lane(1), lane(2), lane(3)];
  return [a, b, c, (a | b | c | d) === 0 ? 1 : d];
}

/** The finaliser of MurmurHash3, a bijection of 32-bit words. */
function mixed(word: number): number {
  let hash = word ^ (word >>> 16);
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
