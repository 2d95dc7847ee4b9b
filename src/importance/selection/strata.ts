import { orderOf } from "./order.js";
import type { SelectionColumns } from "./types.js";

/** The candidates of each stratum. */
export interface StrataMembers {
  /** (S) Number of candidates in each stratum. */
  readonly counts: Uint32Array;
  /** Ascending indices of the stratum's candidates. */
  membersOf(stratum: number): Uint32Array;
}

/** Sorts the candidates by stratum, with a counting sort: 4 bytes a candidate and 8 a stratum. */
export function strataMembers({ count, strata, excluded }: SelectionColumns): StrataMembers {
  const counts = new Uint32Array(strata?.count ?? 1);
  const stratumOf = (index: number): number => (strata === null ? 0 : (strata.of[index] as number));
  const isCandidate = (index: number): boolean => excluded === null || excluded[index] === 0;
  for (let index = 0; index < count; index += 1) {
    const stratum = stratumOf(index);
    if (isCandidate(index)) counts[stratum] = (counts[stratum] as number) + 1;
  }
  const ends = new Uint32Array(counts.length);
  let total = 0;
  for (let stratum = 0; stratum < counts.length; stratum += 1) {
    ends[stratum] = total;
    total += counts[stratum] as number;
  }
  const members = new Uint32Array(total);
  for (let index = 0; index < count; index += 1) {
    if (!isCandidate(index)) continue;
    const stratum = stratumOf(index);
    const place = ends[stratum] as number;
    members[place] = index;
    ends[stratum] = place + 1;
  }
  return {
    counts,
    membersOf: (stratum) => {
      const end = ends[stratum] as number;
      return members.subarray(end - (counts[stratum] as number), end);
    },
  };
}

/**
 * (S) Whole sizes in proportion to the strata, with the sum `size`: each stratum gets its proportion rounded down, and those
 * with the largest remainders get one more (Hamilton's method). Equal remainders go by stratum. A stratum never gets more than
 * it has, if `size` is at most the sum of the counts.
 *
 * With `atLeastOne`, each stratum that is not empty gets at least 1, because an estimate has no sample of a stratum without it:
 * those that would get 0 get 1, and the rest is divided among the others.
 *
 * @param size at least the number of strata that are not empty, with `atLeastOne`
 * @param counts (S), their sum above 0
 */
export function allocate(size: number, counts: Uint32Array, atLeastOne: boolean): Uint32Array {
  const raised = new Uint8Array(counts.length);
  for (;;) {
    const others = counts.map((count, stratum) => (raised[stratum] === 1 ? 0 : count));
    const left = size - raised.reduce((ones, one) => ones + one, 0);
    const sizes = byLargestRemainder(left, others);
    const short = atLeastOne
      ? [...others.keys()].filter((stratum) => (others[stratum] as number) > 0 && sizes[stratum] === 0)
      : [];
    if (short.length === 0) return sizes.map((given, stratum) => given + (raised[stratum] as number));
    for (const stratum of short) raised[stratum] = 1;
  }
}

function byLargestRemainder(size: number, counts: Uint32Array): Uint32Array {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return new Uint32Array(counts.length);
  // size · count is exact: both are whole and the product is below 2^53.
  const remainders = Float64Array.from(counts, (count) => (size * count) % total);
  const sizes = Uint32Array.from(
    counts,
    (count, stratum) => (size * count - (remainders[stratum] as number)) / total,
  );
  const left = size - sizes.reduce((sum, given) => sum + given, 0);
  for (const stratum of orderOf(remainders.map((remainder) => -remainder)).subarray(0, left)) {
    sizes[stratum] = (sizes[stratum] as number) + 1;
  }
  return sizes;
}
