import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mixRanks } from "../../src/importance/mix.js";
import { WEIGH_DEFAULTS } from "../../src/importance/weigh-options.js";
import { weigh, weighMix } from "../../src/importance/weights.js";

const score = fc.double({ noNaN: true, noDefaultInfinity: true });

describe("a mix of signals", () => {
  test("averages the ranks by the shares, ties sharing theirs", () => {
    const parts = [
      { scores: Float64Array.of(10, 20, 30, 40), share: 3 },
      { scores: Float64Array.of(5, -1, 5, -1), share: 1 },
    ];
    const ranks = [(3 * 1 + 3.5) / 4, (3 * 2 + 1.5) / 4, (3 * 3 + 3.5) / 4, (3 * 4 + 1.5) / 4];
    expect([...mixRanks(parts).scores]).toEqual(ranks.map((rank) => rank / 4));
  });

  test("of one signal weighs as the scheme rank does", () => {
    fc.assert(
      fc.property(fc.array(score, { minLength: 1 }), (values) => {
        const scores = Float64Array.from(values);
        const mixed = weighMix([{ scores, share: 0.3 }], { ...WEIGH_DEFAULTS, scheme: "proportional" });
        const ranked = weigh(scores, { ...WEIGH_DEFAULTS, scheme: "rank" });
        for (const [index, weight] of ranked.weights.entries()) {
          expect(mixed.weights[index]).toBeCloseTo(weight, 12);
        }
      }),
    );
  });

  test("does not depend on the signals' scales, nor on that of the shares", () => {
    const pair = fc.array(fc.tuple(fc.integer({ min: -50, max: 50 }), score), { minLength: 1 });
    fc.assert(
      fc.property(pair, fc.constantFrom(1e-300, 7, 1e300), (values, unit) => {
        const mixed = (scale: number, shares: readonly [number, number]) =>
          mixRanks([
            { scores: Float64Array.from(values, ([a]) => a * scale), share: shares[0] },
            { scores: Float64Array.from(values, ([, b]) => b), share: shares[1] },
          ]).scores;
        const plain = mixed(1, [0.75, 0.25]);
        for (const [index, value] of mixed(unit, [0.75 * unit, 0.25 * unit]).entries()) {
          expect(value).toBeCloseTo(plain[index] as number, 12);
        }
        expect(plain.every((value) => value > 0 && value <= 1 + 1e-12)).toBe(true);
      }),
    );
  });
});
