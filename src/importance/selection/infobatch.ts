import { sum } from "../sum.js";
import type { Draws } from "./draws.js";
import { membersAt, positionsWhere, valuesAt } from "./positions.js";
import type { Random } from "./random.js";
import { randomSubset } from "./subset.js";

/**
 * `infobatch`: of the n members whose score is below the members' mean, k = max(1, ⌊(1 − r) n⌋) stay, each set of k with the
 * same chance; the others stay anyway. The expected counts are k/n and 1, so the multipliers n/k and 1 keep the sum of the
 * losses over an epoch (Qin et al. 2024, "InfoBatch: Lossless Training Speed Up by Unbiased Dynamic Data Pruning", ICLR). The
 * divisor is N: a mean over the samples that stay would be N/(number that stay) larger. InfoBatch drops each sample with chance
 * r; the exact k has less variance and a known size.
 *
 * O(n), 20 bytes a member.
 *
 * @param members (n) indices, ascending, n ≥ 1
 * @param scores (N), finite for members
 * @param prune r in [0, 1); 0 keeps all
 */
export function infobatch(members: Uint32Array, scores: Float64Array, prune: number, random: Random): Draws {
  const own = valuesAt(scores, members);
  const mean = meanOf(own);
  const below = positionsWhere(own.length, (at) => (own[at] as number) < mean);
  const staying = below.length === 0 ? 0 : keptOf(below.length, prune);
  const expected = new Float64Array(members.length).fill(1);
  for (const at of below) expected[at] = 0;
  for (const place of randomSubset(below.length, staying, random)) {
    expected[below[place] as number] = staying / below.length;
  }
  const kept = positionsWhere(own.length, (at) => (expected[at] as number) > 0);
  return {
    indices: membersAt(members, kept),
    counts: new Uint32Array(kept.length).fill(1),
    expected: valuesAt(expected, kept),
    neverDrawn: 0,
  };
}

/**
 * Whether the epoch trains on everything, without multipliers: the last eighth of the epochs, rounded up, does. InfoBatch
 * anneals so, because the multipliers add variance when the training should settle.
 *
 * @param epoch from 0 to epochs − 1
 */
export function takesEverything(epoch: number, epochs: number): boolean {
  return epoch >= epochs - Math.ceil(epochs / 8);
}

/** Mean of values up to the largest double. Rounding must not lift it above equal values, which would then all be below it. */
function meanOf(values: Float64Array): number {
  const peak = values.reduce((a, b) => Math.max(a, b));
  return Math.min(peak, sum(values.map((value) => value / values.length)));
}

/** max(1, ⌊(1 − r) n⌋). The rounding of 1 − r must not cost a sample: (1 − 0.9) · 20 is below 2. */
function keptOf(count: number, prune: number): number {
  return Math.max(1, Math.floor((1 - prune) * count * (1 + 2 ** -50)));
}
