import { type RankQuantiles, rankQuantiles, rankWithin } from "./rank-quantiles.js";
import { ranksOf } from "./ranks.js";
import { sorted } from "./sorted.js";

/** One signal of a mix: its values, and the share of its ranks in the mean. */
export interface MixPart {
  /** (N), finite. */
  readonly scores: Float64Array;
  /** Above 0. */
  readonly share: number;
}

/** One signal of a mix with what it keeps of N values, so that it ranks a further value. Plain JSON. */
export interface FittedPart {
  /** Above 0. The shares of a mix sum to 1. */
  readonly share: number;
  readonly quantiles: RankQuantiles;
}

export interface MixedRanks {
  /**
   * (N) Mean rank of the signals, weighted by their shares and divided by N: above 0 and at most 1, for any scale of the signals.
   */
  readonly scores: Float64Array;
  readonly fitted: readonly FittedPart[];
}

/**
 * Mean ranks of several signals. For one signal they are its ranks over N, so `proportional` gives the same weights as `rank`.
 *
 * @param parts at least one, of equal length N
 */
export function mixRanks(parts: readonly MixPart[]): MixedRanks {
  const count = parts[0]?.scores.length ?? 0;
  const largest = parts.reduce((peak, { share }) => Math.max(peak, share), 0);
  const total = parts.reduce((sum, { share }) => sum + share / largest, 0);
  const mixed = new Float64Array(count);
  const fitted = parts.map((part): FittedPart => {
    const share = part.share / largest / total;
    const order = sorted(part.scores);
    const ranks = ranksOf(part.scores, order);
    for (let index = 0; index < count; index += 1) {
      mixed[index] = (mixed[index] as number) + share * ((ranks[index] as number) / count);
    }
    return { share, quantiles: rankQuantiles(part.scores, order) };
  });
  return { scores: mixed, fitted };
}

/**
 * Mean rank of a further sample among the N, in the unit of `mixRanks`. That of a sample that was among the N is off by less than
 * 1/1024, and exact up to N = 1,025.
 *
 * @param values one for each part
 */
export function mixedRankWithin(parts: readonly FittedPart[], values: readonly number[]): number {
  return parts.reduce(
    (mean, { share, quantiles }, index) =>
      mean + share * (rankWithin(quantiles, values[index] as number) / quantiles.count),
    0,
  );
}
