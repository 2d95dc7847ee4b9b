import { ranksOf } from "./ranks.js";

/** One signal of a mix: its values, and the share of its ranks in the mean. */
export interface MixPart {
  /** (N), finite. */
  readonly scores: Float64Array;
  /** Above 0. */
  readonly share: number;
}

/**
 * Mean rank of several signals, weighted by their shares and divided by N: above 0 and at most 1, for any scale of the signals.
 * For one signal it is the signal's rank over N, so `proportional` gives the same weights as `rank`.
 *
 * @param parts at least one, of equal length N
 * @returns (N)
 */
export function mixRanks(parts: readonly MixPart[]): Float64Array {
  const count = parts[0]?.scores.length ?? 0;
  const largest = parts.reduce((peak, { share }) => Math.max(peak, share), 0);
  const total = parts.reduce((sum, { share }) => sum + share / largest, 0);
  const mixed = new Float64Array(count);
  for (const { scores, share } of parts) {
    const part = share / largest / total;
    for (const [index, rank] of ranksOf(scores).entries()) {
      mixed[index] = (mixed[index] as number) + part * (rank / count);
    }
  }
  return mixed;
}
