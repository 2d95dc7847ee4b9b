import { sum } from "./sum.js";

/**
 * Caps weights at `clip` times their mean by water-filling: what the cap takes away goes to the weights under it, in
 * proportion, until they too meet the cap or the sum is 1 again: min(cap, t·w) with the one t that sums to 1. Capping and
 * then normalising would lift the largest above the cap again. Where every positive weight sits at the cap and some is
 * left, the zeros divide it equally, as the limit of vanishing weights does.
 *
 * @param weights (N), at least 0, sum 1
 * @param clip cap on w / mean w, finite and at least 1
 * @returns (N), sum 1, none above clip / N
 */
export function capWeights(weights: Float64Array, clip: number): Float64Array {
  const count = weights.length;
  const cap = clip / count;
  const ascending = weights.toSorted();
  const under = belowCap(ascending, cap);
  const rest = sum(ascending.subarray(0, under));
  const left = 1 - (count - under) * cap;
  if (rest === 0) return weights.map((weight) => (weight > 0 ? cap : left / under));
  return weights.map((weight) => Math.min(cap, (weight / rest) * left));
}

/** How many of the smallest weights stay under the cap once they are raised. */
function belowCap(ascending: Float64Array, cap: number): number {
  const sums = new Float64Array(ascending.length + 1); // sums[n]: of the n smallest
  for (const [index, weight] of ascending.entries()) sums[index + 1] = (sums[index] as number) + weight;
  for (let under = ascending.length; under > 0; under -= 1) {
    const rest = sums[under] as number;
    const left = 1 - (ascending.length - under) * cap;
    // Divided before it is multiplied: a rest of subnormal weights would send left / rest to infinity.
    if (rest === 0 || ((ascending[under - 1] as number) / rest) * left <= cap) return under;
  }
  return 0;
}
