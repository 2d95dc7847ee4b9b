import { expect, test } from "vitest";
import { randomFrom, randomOf } from "../../../src/importance/selection/random.js";
import { randomSubset } from "../../../src/importance/selection/subset.js";

function words(random: { word(): number }, count: number): number[] {
  return Array.from({ length: count }, () => random.word());
}

test("the state 1, 2, 3, 4 gives the published words of xoshiro128**", () => {
  expect(words(randomFrom([1, 2, 3, 4]), 10)).toEqual([
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
  ]);
});

test("a seed always gives the same words, here those of its first release", () => {
  expect(words(randomOf(1), 4)).toMatchInlineSnapshot(`
    [
      3499061821,
      1440700020,
      681198042,
      1838502960,
    ]
  `);
  expect(words(randomOf("küche", 3), 2)).toMatchInlineSnapshot(`
    [
      2201946139,
      4088271348,
    ]
  `);
});

test("a number and its digits are one seed; other seeds and purposes are other streams", () => {
  expect(words(randomOf(7), 4)).toEqual(words(randomOf("7"), 4));
  const streams = [
    randomOf(7),
    randomOf(8),
    randomOf(2 ** 32 + 7),
    randomOf(7, 0),
    randomOf(7, 1),
    randomOf("7,0"),
  ];
  expect(new Set(streams.map((random) => words(random, 2).join())).size).toBe(streams.length);
});

test("uniform numbers lie in [0, 1), use 53 bits and have the moments of the uniform distribution", () => {
  const random = randomOf("moments");
  const drawn = Array.from({ length: 100_000 }, () => random.uniform());
  expect(drawn.every((u) => u >= 0 && u < 1)).toBe(true);
  expect(drawn.some((u) => (u * 2 ** 53) % 2 === 1)).toBe(true);
  const mean = drawn.reduce((a, b) => a + b) / drawn.length;
  const square = drawn.reduce((a, b) => a + b * b) / drawn.length;
  expect(Math.abs(mean - 1 / 2)).toBeLessThan(4 * Math.sqrt(1 / 12 / drawn.length));
  expect(Math.abs(square - 1 / 3)).toBeLessThan(4 * Math.sqrt(4 / 45 / drawn.length));
});

test("whole numbers below a count that does not divide 2^32 are equally frequent", () => {
  const random = randomOf("dice");
  const counts = new Array<number>(7).fill(0);
  for (let roll = 0; roll < 70_000; roll += 1) {
    const face = random.below(7);
    counts[face] = (counts[face] as number) + 1;
  }
  const chiSquared = counts.reduce((total, count) => total + (count - 10_000) ** 2 / 10_000, 0);
  expect(chiSquared).toBeLessThan(22.5); // 0.1% of chi-squared with 6 degrees of freedom
  // Three quarters of the words lie below 3 · 2^30: without rejection the first third would have half of the draws.
  const thirds = Array.from({ length: 9000 }, () => random.below(3 * 2 ** 30) / 2 ** 30);
  expect(Math.abs(thirds.filter((t) => t < 1).length - 3000)).toBeLessThan(4 * Math.sqrt(2000));
});

test("every subset of a size is equally frequent", () => {
  const random = randomOf("subsets");
  const counts = new Map<string, number>();
  for (let draw = 0; draw < 10_000; draw += 1) {
    const subset = randomSubset(5, 2, random).join();
    counts.set(subset, (counts.get(subset) ?? 0) + 1);
  }
  expect(counts.size).toBe(10);
  const chiSquared = [...counts.values()].reduce((total, count) => total + (count - 1000) ** 2 / 1000, 0);
  expect(chiSquared).toBeLessThan(27.9); // 0.1% of chi-squared with 9 degrees of freedom
});
