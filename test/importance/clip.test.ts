import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clipped, fitClip } from "../../src/importance/clip.js";

/** Shares (N) that sum to 1, from equal ones to ones that differ by hundreds of orders of magnitude. */
const shares = fc
  .array(
    fc.oneof(
      fc.constant(0),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: -1000, max: 0 }).map((exponent) => 2 ** exponent),
    ),
    { minLength: 1, maxLength: 80 },
  )
  .filter((list) => list.some((x) => x > 0))
  .map((list) => {
    const total = list.reduce((sum, x) => sum + x, 0);
    return Float64Array.from(list, (x) => x / total);
  });
const clip = fc.oneof(fc.constantFrom(1, 2), fc.double({ min: 1, max: 90, noNaN: true }));

/** Another way to the same level: weights in descending order, one more at the cap until the others stay below it. */
function byOrder(weights: Float64Array, cap: number): number[] {
  const descending = weights.toSorted().reverse();
  for (let held = 0; held < weights.length; held += 1) {
    const rest = descending.subarray(held).reduceRight((sum, w) => sum + w, 0);
    const left = 1 - held * cap;
    if (rest === 0) return Array.from(weights, (w) => (w > 0 ? cap : left / (weights.length - held)));
    if (((descending[held] as number) / rest) * left <= cap * (1 + 1e-12))
      return Array.from(weights, (w) => Math.min(cap, (w / rest) * left));
  }
  throw new Error("a cap of at least the mean always has a level");
}

describe("the clip", () => {
  test("finds the level that a search by order finds", () => {
    fc.assert(
      fc.property(shares, clip, (weights, limit) => {
        const fitted = fitClip(weights, limit);
        const expected = byOrder(weights, limit / weights.length);
        for (const [index, weight] of weights.entries()) {
          expect(clipped(fitted, weight)).toBeCloseTo(expected[index] as number, 12);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("moves nothing where nothing is above the cap, to the last bit", () => {
    fc.assert(
      fc.property(shares, (weights) => {
        const fitted = fitClip(weights, weights.length);
        expect(weights.map((weight) => clipped(fitted, weight))).toEqual(weights);
      }),
    );
  });

  test("takes the steps that weights need which reach the cap one after the other", () => {
    const halves = Float64Array.from({ length: 1000 }, (_, i) => 2 ** -(i + 1)); // the sum is 1 within 1e-16
    const fitted = fitClip(halves, 20);
    const after = halves.map((weight) => clipped(fitted, weight));
    expect(after.reduceRight((sum, w) => sum + w, 0)).toBeCloseTo(1, 12);
    expect(after.filter((w) => w === fitted.cap)).toHaveLength(49);
  });

  test("is plain JSON", () => {
    fc.assert(
      fc.property(shares, clip, (weights, limit) => {
        const fitted = fitClip(weights, limit);
        expect(JSON.parse(JSON.stringify(fitted))).toEqual(fitted);
      }),
    );
  });
});
