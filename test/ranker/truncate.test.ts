import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { longestFirst } from "../../src/ranker/truncate.js";

/** Hugging Face's rule as it is told: take a token off the longer text until the pair fits; of equal ones, off the first. */
function oneByOne(first: number, second: number, tokensMax: number): number {
  let [a, b] = [first, second];
  while (a + b > tokensMax) {
    if (a > b) a -= 1;
    else b -= 1;
  }
  return a + b;
}

describe("longestFirst", () => {
  it("leaves a pair that fits as it is", () => {
    expect(longestFirst(3, 4, 7)).toEqual([3, 4]);
  });

  it("takes only from the longer text while it stays the longer one", () => {
    expect(longestFirst(2, 100, 10)).toEqual([2, 8]);
    expect(longestFirst(100, 2, 10)).toEqual([8, 2]);
  });

  it("halves the room between two long texts, the odd token to the longer one", () => {
    expect(longestFirst(100, 200, 11)).toEqual([5, 6]);
    expect(longestFirst(200, 100, 11)).toEqual([6, 5]);
  });

  it("fills the room exactly and never lengthens a text", () => {
    fc.assert(
      fc.property(fc.nat(600), fc.nat(600), fc.integer({ min: 1, max: 512 }), (a, b, tokensMax) => {
        const [keptA, keptB] = longestFirst(a, b, tokensMax);
        expect(keptA).toBeLessThanOrEqual(a);
        expect(keptB).toBeLessThanOrEqual(b);
        expect(keptA + keptB).toBe(oneByOne(a, b, tokensMax));
      }),
    );
  });
});
