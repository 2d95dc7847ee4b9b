import fc from "fast-check";
import { expect, test } from "vitest";
import { orderOf } from "../../../src/importance/selection/order.js";
import { randomOf } from "../../../src/importance/selection/random.js";

/** The order by comparison, with the position as the last word. */
function compared(values: Float64Array): number[] {
  return [...values.keys()].sort((a, b) => (values[a] as number) - (values[b] as number) || a - b);
}

const value = fc.oneof(
  fc.constantFrom(0, -0, 5e-324, -5e-324, 1, -1, Infinity, -Infinity, Number.MAX_VALUE, -Number.MAX_VALUE),
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: true }),
);

test("few values are in ascending order, and equal ones in the order given", () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 50 }), (values) => {
      expect([...orderOf(Float64Array.from(values))]).toEqual(compared(Float64Array.from(values)));
    }),
  );
});

test("many values, which are sorted by their bits, come in the same order as by comparison", () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), fc.nat(), (few, seed) => {
      const random = randomOf(seed);
      const values = Float64Array.from(
        { length: 4096 + random.below(1000) },
        () => few[random.below(few.length)] as number,
      );
      expect([...orderOf(values)]).toEqual(compared(values));
    }),
    { numRuns: 20 },
  );
});
