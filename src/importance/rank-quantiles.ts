import { indexAt, type Sorted } from "./sorted.js";

/** Knots of a kept distribution of ranks. With 1,024 intervals, a rank is off by less than a thousandth of N. */
const KNOTS_MAX = 1025;

/**
 * What gives a later value its rank among N values that are no longer there: evenly spaced quantiles of them. Plain JSON.
 */
export interface RankQuantiles {
  /** N ≥ 1. */
  readonly count: number;
  /** (min(N, 1025)) ascending; the first is the smallest value, the last the largest. */
  readonly values: readonly number[];
}

/** @param order `sorted` of the (N) values, N ≥ 1 */
export function rankQuantiles(values: Float64Array, order: Sorted): RankQuantiles {
  const count = values.length;
  const knots = Math.min(count, KNOTS_MAX);
  return {
    count,
    values: Array.from(
      { length: knots },
      (_, knot) => values[indexAt(order, positionOf(knot, knots, count))] as number,
    ),
  };
}

/**
 * Rank of a value among the N, from 1 to N. A value between two knots is interpolated linearly; equal knots share the mean of their
 * positions. The rank of a value that was among the N is off by less than (N − 1)/1024, and exact up to N = 1,025. A value
 * beyond the extremes has the rank of the nearer one.
 */
export function rankWithin({ count, values }: RankQuantiles, value: number): number {
  const first = firstWhere(values, (one) => one >= value);
  const after = firstWhere(values, (one) => one > value);
  const at = (knot: number): number => positionOf(knot, values.length, count) + 1;
  if (first < after) return (at(first) + at(after - 1)) / 2;
  if (first === 0) return 1;
  if (first === values.length) return count;
  const [below, above] = [values[first - 1] as number, values[first] as number];
  // The difference of two large values of different signs can overflow; that of their halves cannot.
  const unit = Number.isFinite(above - below) ? 1 : 0.5;
  const fraction = (value * unit - below * unit) / (above * unit - below * unit);
  return at(first - 1) + fraction * (at(first) - at(first - 1));
}

/** Index, in the ascending order of N values, of one of the evenly spaced knots. */
function positionOf(knot: number, knots: number, count: number): number {
  return knots === 1 ? 0 : Math.round((knot * (count - 1)) / (knots - 1));
}

/** Index of the first value for which `holds` is true, or the length. It is then true for every later value. */
function firstWhere(ascending: readonly number[], holds: (value: number) => boolean): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(ascending[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}
