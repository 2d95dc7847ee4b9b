import { expect, it } from "vitest";
import { fitIsotonic, isotonicAt } from "../../../src/importance/noise/isotonic.js";

it("pools what falls, takes equal scores for one point, and is straight between blocks", () => {
  const line = fitIsotonic(Float64Array.of(1, 1, 2, 3, 5), Float64Array.of(0, 1, 0, 1, 1));
  const heights = [0, 1, 1.5, 2, 2.5, 3, 4, 9].map((score) => isotonicAt(line, score));
  // (0 + 1 + 0)/3 until 2, then 1 from 3 on. scikit-learn predicts the same.
  const third = 1 / 3;
  expect(heights).toEqual([third, third, third, third, 2 * third, 1, 1, 1].map((y) => expect.closeTo(y, 12)));
});

it("is the mean where the targets only fall", () => {
  const line = fitIsotonic(Float64Array.of(1, 2, 3), Float64Array.of(1, 1, 0));
  expect(line.values).toHaveLength(1);
  expect(isotonicAt(line, 2)).toBeCloseTo(2 / 3, 12);
});
