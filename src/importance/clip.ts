import { sum } from "./sum.js";

/**
 * Caps weights at `clip` times their mean by water-filling: the result is min(cap, t·w), with the one t that makes the sum 1. So
 * the excess above the cap goes to the weights below it, in proportion, until they also reach the cap or the sum is 1 again.
 * Capping and then normalising would lift the largest weights above the cap again. If every positive weight is at the cap and
 * some weight remains, the zeros share it equally, like weights that approach 0 together.
 *
 * @param weights (N), at least 0, sum 1
 * @param clip cap on w / mean w, finite and at least 1
 * @returns (N), sum 1, no weight above clip / N
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

/** How many of the smallest weights remain at or below the cap after they have been raised. */
function belowCap(ascending: Float64Array, cap: number): number {
  const sums = new Float64Array(ascending.length + 1); // sums[n]: of the n smallest
  for (const [index, weight] of ascending.entries()) sums[index + 1] = (sums[index] as number) + weight;
  for (let under = ascending.length; under > 0; under -= 1) {
    const rest = sums[under] as number;
    const left = 1 - (ascending.length - under) * cap;
    // Divide the weight by rest first: if rest is subnormal, left / rest would be infinite.
    if (rest === 0 || ((ascending[under - 1] as number) / rest) * left <= cap) return under;
  }
  return 0;
}
