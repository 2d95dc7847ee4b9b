import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { largestOf } from "../../src/importance/largest-of.js";
import { ranksOf } from "../../src/importance/ranks.js";
import { equalAt, indexAt, sorted } from "../../src/importance/sorted.js";

/** Both zeros, subnormals, the extremes, ties, float32 values and any others. */
const value = fc.oneof(
  fc.constantFrom(0, -0, 5e-324, -5e-324, 1, -1, Number.MAX_VALUE, -Number.MAX_VALUE, Infinity, -Infinity),
  fc.integer({ min: -3, max: 3 }),
  fc.float({ noNaN: true }),
  fc.double({ noNaN: true }),
);
/** Float32 values have shorter keys. */
const float32 = fc.oneof(
  fc.constantFrom(0, -0, 2 ** -149, -(2 ** -149), Infinity, -Infinity),
  fc.integer({ min: -3, max: 3 }),
  fc.float({ noNaN: true }),
);
const values = fc
  .oneof(fc.array(value, { maxLength: 300 }), fc.array(float32, { maxLength: 300 }))
  .map((list) => Float64Array.from(list));

describe("sorted", () => {
  test("orders as a stable sort by comparison does", () => {
    fc.assert(
      fc.property(values, (column) => {
        const order = sorted(column);
        const places = [...column.keys()];
        const expected = [...places].sort((a, b) => {
          const [one, other] = [column[a] as number, column[b] as number];
          return one < other ? -1 : one > other ? 1 : 0;
        });
        expect(places.map((place) => indexAt(order, place))).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test("knows which places hold equal values, and 0 equals −0", () => {
    fc.assert(
      fc.property(values, (column) => {
        const order = sorted(column);
        for (let place = 1; place < column.length; place += 1) {
          const [before, own] = [column[indexAt(order, place - 1)], column[indexAt(order, place)]];
          expect(equalAt(order, place - 1, place)).toBe(before === own);
        }
      }),
    );
  });

  test("leaves the values as they are, also in a part of a larger buffer", () => {
    const whole = Float64Array.of(9, 3, -2, 3, 7);
    const order = sorted(whole.subarray(1, 4));
    expect([0, 1, 2].map((place) => indexAt(order, place))).toEqual([1, 0, 2]);
    expect([...whole]).toEqual([9, 3, -2, 3, 7]);
  });
});

test("a rank is the mean place of the values that are equal to it", () => {
  fc.assert(
    fc.property(values, (column) => {
      const ranks = ranksOf(column);
      for (const [index, own] of column.entries()) {
        const below = column.filter((other) => other < own).length;
        const equal = column.filter((other) => other === own).length;
        expect(ranks[index]).toBe(below + (equal + 1) / 2);
      }
    }),
  );
});

test("the largest of a column are those of the sorted column", () => {
  const finite = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), {
    minLength: 1,
    maxLength: 400,
  });
  fc.assert(
    fc.property(finite, fc.integer({ min: 1, max: 400 }), fc.boolean(), (list, wanted, ascending) => {
      const column = Float64Array.from(ascending ? list.sort((a, b) => a - b) : list);
      const count = Math.min(wanted, column.length);
      expect([...largestOf(column, count)]).toEqual([...column.toSorted().subarray(column.length - count)]);
    }),
    { numRuns: 500 },
  );
});
