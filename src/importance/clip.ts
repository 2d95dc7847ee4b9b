import { sum } from "./sum.js";

/** A clip with the level that it found in N weights, so that it clips a further weight in the same way. Plain JSON. */
export interface FittedClip {
  /** Largest weight: clip / N. */
  readonly cap: number;
  /** Sum of the weights below the cap before they are raised. */
  readonly rest: number;
  /** Sum of the same weights after they are raised. t = left / rest. */
  readonly left: number;
  /** Weight of a sample whose weight was 0. It is above 0 only if `rest` is 0. */
  readonly zero: number;
}

/**
 * Caps weights at `clip` times their mean by water-filling: a weight becomes min(cap, t·w), with the one t that makes the sum 1.
 * So the excess above the cap goes to the weights below it, in proportion, until they also reach the cap or the sum is 1 again.
 * Capping and then normalising would lift the largest weights above the cap again. If every positive weight is at the cap and
 * some weight remains, the zeros share it equally, like weights that approach 0 together.
 *
 * t is found by Newton's method from t = 1 on Σ min(cap, t·w) = 1, which is concave and piecewise linear in t: each step finds
 * more weights at the cap, and it ends where no further one reaches it. It takes a few steps; each reads the weights once.
 *
 * @param weights (N), at least 0, sum 1
 * @param clip cap on w / mean w, finite and at least 1
 */
export function fitClip(weights: Float64Array, clip: number): FittedClip {
  const count = weights.length;
  const cap = clip / count;
  const below = new Float64Array(count);
  let fitted: FittedClip = { cap, rest: 1, left: 1, zero: 0 };
  for (let held = 0; ; ) {
    let under = 0;
    for (let index = 0; index < count; index += 1) {
      const weight = weights[index] as number;
      if (raised(fitted, weight) <= cap) below[under++] = weight;
    }
    if (count - under <= held) return fitted;
    held = count - under;
    const rest = sum(below.subarray(0, under));
    const left = Math.max(0, 1 - held * cap);
    if (rest === 0) return { cap, rest, left, zero: under > 0 ? left / under : 0 };
    // t never falls, except by rounding: then what seemed to exceed the cap is equal to it.
    if (!((fitted.rest / rest) * left >= fitted.left)) return fitted;
    fitted = { cap, rest, left, zero: 0 };
  }
}

/** The weight after the clip: at most the cap. */
export function clipped(fitted: FittedClip, weight: number): number {
  if (weight === 0) return fitted.zero;
  return fitted.rest === 0 ? fitted.cap : Math.min(fitted.cap, raised(fitted, weight));
}

/** t·w. The weight is divided by `rest` first: if `rest` is subnormal, left / rest would be infinite. */
function raised({ rest, left }: FittedClip, weight: number): number {
  return (weight / rest) * left;
}
