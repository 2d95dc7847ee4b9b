import { expect, it } from "vitest";
import { orderByIds } from "../../../src/scoring/datasets/id-order.js";

it("orders rows by their ids alone, whatever order they come in", () => {
  const ids = Array.from({ length: 10_000 }, (_, at) => `q${at % 97}:${at}`);
  const shuffled = [...ids.slice(5000).reverse(), ...ids.slice(0, 5000)];
  const ordered = (of: string[]) =>
    [...orderByIds(of.length, (row) => of[row] as string)].map((row) => of[row]);
  expect(ordered(shuffled)).toEqual(ordered(ids));
  expect(new Set(ordered(ids)).size).toBe(ids.length);
});

it("spreads ids that differ in their last characters over the whole order", () => {
  const ids = Array.from({ length: 20_000 }, (_, at) => `sample-${at}`);
  const order = orderByIds(ids.length, (row) => ids[row] as string);
  const firstHalf = order.subarray(0, 10_000).filter((row) => row < 10_000).length;
  // 5,000 with a standard deviation of about 35.
  expect(Math.abs(firstHalf - 5000)).toBeLessThan(200);
});
