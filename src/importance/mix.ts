import { ranksOf } from "./ranks.js";

/** One signal of a mix: its values, and how much its order counts. */
export interface MixPart {
  /** (N), finite. */
  readonly scores: Float64Array;
  /** Above 0. */
  readonly share: number;
}

/**
 * Mean rank of several signals by their shares, divided by N: above 0 and at most 1, however the signals are scaled. Of one
 * signal it is its rank, so `proportional` on it weighs as `rank` does.
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
