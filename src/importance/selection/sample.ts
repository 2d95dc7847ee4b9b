import { type Draws, shares } from "./draws.js";
import { membersAt, positionsWhere, valuesAt } from "./positions.js";
import type { Random } from "./random.js";
import type { Steps } from "./types.js";

/** So few draws of an interval are made one by one. */
const DRAWS_AT_ONCE = 32;
/** Work between two pauses, and that of an interval or a draw, in random words. */
const WORDS_STEP = 2 ** 20;
const SEARCH_WORDS = 16;

/**
 * `sample`: `size` independent draws with replacement, each with the draw probabilities p ∝ weights (Hansen & Hurwitz 1943, "On
 * the Theory of Sampling from Finite Populations"; for training, Katharopoulos & Fleuret 2018, arXiv:1803.00942). The expected
 * count of a member is size · p. Without strata its multiplier is therefore 1/(N p).
 *
 * A sample that was drawn c times counts c times. A trainer either uses it c times, each time with its multiplier, or once with
 * c · multiplier; in both cases it divides the sum by `size`, not by the number of distinct samples. So a mean over batches of
 * the repeated list is right, and a mean over the distinct samples is not.
 *
 * O(n + size · log n / 32), 16 bytes a member and none a draw: see `drawnCounts`.
 *
 * @param members (n) indices, ascending, n ≥ 1
 * @param weights (N), at least 0 for members; if all are 0, they count as equal
 * @param size at least 1, may exceed n
 */
export function* sample(
  members: Uint32Array,
  weights: Float64Array,
  size: number,
  random: Random,
): Steps<Draws> {
  const probabilities = shares(members, weights);
  yield 0;
  const drawn = yield* drawnCounts(probabilities, size, random);
  const positions = positionsWhere(drawn.length, (at) => (drawn[at] as number) > 0);
  const neverDrawn = probabilities.reduce((zeros, p) => zeros + (p === 0 ? 1 : 0), 0);
  return {
    indices: membersAt(members, positions),
    counts: positions.map((at) => drawn[at] as number),
    expected: valuesAt(probabilities, positions).map((p) => size * p),
    neverDrawn,
  };
}

/** Draws of uniform numbers that lie in an interval, before each is known. */
interface Interval {
  readonly low: number;
  /** A power of 1/2. */
  readonly width: number;
  readonly draws: number;
  /** The first and the last position that a number of the interval may give. */
  readonly first: number;
  readonly last: number;
}

/**
 * (n) How often each position was drawn: the counts of `size` uniform numbers among the cumulated probabilities, without a number
 * for each. Of m numbers in an interval, Binomial(m, 1/2) lie in its lower half, and this is the number of ones among m random bits.
 * So an interval is halved until it is of one position, or has few draws. The counts are exactly those of independent draws, and
 * only whole numbers and exact halves are read, so every platform gives the same counts.
 *
 * @param probabilities (n), at least 0, sum 1
 */
function* drawnCounts(probabilities: Float64Array, size: number, random: Random): Steps<Uint32Array> {
  const cumulated = cumulatedOf(probabilities);
  const counts = new Uint32Array(probabilities.length);
  // The last reachable position takes what rounding leaves over.
  const end = probabilities.findLastIndex((p) => p > 0);
  const stack: Interval[] = [
    { low: 0, width: 1, draws: size, first: positionAfter(cumulated, 0, [0, end]), last: end },
  ];
  let [settled, words, reported] = [0, 0, 0];
  for (let interval = stack.pop(); interval !== undefined; interval = stack.pop()) {
    const { low, width, draws, first, last } = interval;
    if (first === last) {
      counts[first] = (counts[first] as number) + draws;
      settled += draws;
    } else if (draws <= DRAWS_AT_ONCE) {
      for (let draw = 0; draw < draws; draw += 1) {
        const position = positionAfter(cumulated, low + width * random.uniform(), [first, last]);
        counts[position] = (counts[position] as number) + 1;
      }
      settled += draws;
      words += SEARCH_WORDS * draws;
    } else {
      const half = width / 2;
      const middle = low + half;
      let lower = 0;
      for (let left = draws; left > 0; left -= WORD_BITS) {
        lower += onesOf(left < WORD_BITS ? random.word() >>> (WORD_BITS - left) : random.word());
        if (++words - reported < WORDS_STEP) continue;
        reported = words;
        yield settled / size;
      }
      const inner = positionAfter(cumulated, middle, [first, last]);
      let before = inner;
      while (before > first && (cumulated[before - 1] as number) >= middle) before -= 1;
      words += 2 * SEARCH_WORDS;
      if (lower < draws) stack.push({ low: middle, width: half, draws: draws - lower, first: inner, last });
      if (lower > 0) stack.push({ low, width: half, draws: lower, first, last: before });
    }
    if (words - reported < WORDS_STEP) continue;
    reported = words;
    yield settled / size;
  }
  return counts;
}

const WORD_BITS = 32;

/** Number of bits of a word that are 1 (Warren, "Hacker's Delight", 5-1). */
function onesOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function cumulatedOf(probabilities: Float64Array): Float64Array {
  const cumulated = new Float64Array(probabilities.length);
  let reached = 0;
  for (let position = 0; position < cumulated.length; position += 1) {
    reached += probabilities[position] as number;
    cumulated[position] = reached;
  }
  return cumulated;
}

/** The first position from `first` on whose cumulated probability is above the number; `last` if none before it is. */
function positionAfter(
  cumulated: Float64Array,
  number: number,
  [first, last]: readonly [number, number],
): number {
  let [low, high] = [first, last];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((cumulated[middle] as number) > number) high = middle;
    else low = middle + 1;
  }
  return low;
}
