import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allocate, strataMembers } from "../../../src/importance/selection/strata.js";
import { columnsOf, strataOf } from "./requests.js";

function allocated(size: number, counts: readonly number[], atLeastOne = false): number[] {
  return [...allocate(size, Uint32Array.from(counts), atLeastOne)];
}

describe("sizes in proportion to the strata", () => {
  test("the largest remainders get what rounding down leaves over, and equal ones go by stratum", () => {
    expect(allocated(10, [53, 24, 23])).toEqual([5, 3, 2]); // 5.3, 2.4, 2.3
    expect(allocated(2, [10, 10, 10])).toEqual([1, 1, 0]);
    expect(allocated(3, [0, 5, 5])).toEqual([0, 2, 1]);
  });

  test("a small stratum gets at least 1 if an estimate needs it", () => {
    expect(allocated(10, [990, 5, 5])).toEqual([10, 0, 0]);
    expect(allocated(10, [990, 5, 0, 5], true)).toEqual([8, 1, 0, 1]);
    expect(allocated(3, [990, 5, 5], true)).toEqual([1, 1, 1]);
  });

  const counts = fc
    .array(fc.oneof(fc.nat(5), fc.nat(1000)), { minLength: 1, maxLength: 30 })
    .filter((all) => all.some((count) => count > 0));

  test("they sum to the size, stay within 1 of the exact proportion and within what the stratum has", () => {
    fc.assert(
      fc.property(counts, fc.double({ min: 0, max: 1, noNaN: true }), (all, part) => {
        const total = all.reduce((a, b) => a + b);
        const size = Math.round(part * total);
        const sizes = allocated(size, all);
        expect(sizes.reduce((a, b) => a + b)).toBe(size);
        for (const [stratum, given] of sizes.entries()) {
          expect(given).toBeLessThanOrEqual(all[stratum] as number);
          expect(Math.abs(given - (size * (all[stratum] as number)) / total)).toBeLessThan(1);
        }
      }),
    );
  });

  test("with at least 1 each, they sum to the size, and no stratum gets more than it has", () => {
    fc.assert(
      fc.property(counts, fc.double({ min: 0, max: 1, noNaN: true }), (all, part) => {
        const total = all.reduce((a, b) => a + b);
        const least = all.filter((count) => count > 0).length;
        const size = least + Math.round(part * (total - least));
        const sizes = allocated(size, all, true);
        expect(sizes.reduce((a, b) => a + b)).toBe(size);
        for (const [stratum, given] of sizes.entries()) {
          expect(given).toBeLessThanOrEqual(all[stratum] as number);
          expect(given).toBeGreaterThanOrEqual(Math.min(1, all[stratum] as number));
        }
      }),
    );
  });
});

test("each candidate is a member of its stratum, in ascending order, and no excluded sample is", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ stratum: fc.nat(4), excluded: fc.boolean() }), { minLength: 1 }),
      (samples) => {
        const { counts, membersOf } = strataMembers(
          columnsOf(
            samples.map(() => 0),
            {
              strata: strataOf(
                samples.map(({ stratum }) => stratum),
                5,
              ),
              excluded: Uint8Array.from(samples, ({ excluded }) => (excluded ? 1 : 0)),
            },
          ),
        );
        for (let stratum = 0; stratum < 5; stratum += 1) {
          const expected = [...samples.keys()].filter(
            (index) => samples[index]?.stratum === stratum && samples[index]?.excluded === false,
          );
          expect([...membersOf(stratum)]).toEqual(expected);
          expect(counts[stratum]).toBe(expected.length);
        }
      },
    ),
  );
});
