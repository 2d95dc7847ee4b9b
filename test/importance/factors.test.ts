import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SampleFactors } from "../../src/importance/factors.js";
import { WEIGH_DEFAULTS, type WeighOptions } from "../../src/importance/weigh-options.js";
import { weigh } from "../../src/importance/weights.js";

function weighed(
  scores: readonly number[],
  { base, classes }: { readonly base?: readonly number[]; readonly classes?: readonly number[] },
  options: Partial<WeighOptions> = {},
) {
  const factors: SampleFactors = {
    base: base ? Float64Array.from(base) : null,
    classes: classes ? Uint16Array.from(classes) : null,
  };
  const named = { base: base ? "impressions" : null, balance: classes !== undefined };
  return weigh(
    Float64Array.from(scores),
    { ...WEIGH_DEFAULTS, scheme: "proportional", ...named, ...options },
    factors,
  );
}

function expectWeights(actual: Float64Array, expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, weight] of expected.entries()) expect(actual[index]).toBeCloseTo(weight, 14);
}

describe("base", () => {
  test("multiplies the scheme's weight, in any unit", () => {
    expectWeights(weighed([1, 3, 2], { base: [6, 1, 0] }).weights, [6 / 9, 3 / 9, 0]);
    expectWeights(weighed([1, 3, 2], { base: [6e-300, 1e-300, 0] }).weights, [6 / 9, 3 / 9, 0]);
    expectWeights(weighed([1, 3, 2], { base: [6e307, 1e307, 0] }).weights, [6 / 9, 3 / 9, 0]);
  });

  test("alone is what the scheme uniform gives", () => {
    expectWeights(weighed([9, -1, 4], { base: [1, 2, 5] }, { scheme: "uniform" }).weights, [
      1 / 8,
      2 / 8,
      5 / 8,
    ]);
  });

  test("of 1 changes nothing", () => {
    const scores = [0.3, 2, 0, 7];
    expect(weighed(scores, { base: [1, 1, 1, 1] }).weights).toEqual(weighed(scores, {}).weights);
  });

  test("comes before smoothing and clip, so a base of 0 keeps its share of the uniform", () => {
    expectWeights(weighed([1, 1], { base: [1, 0] }, { smoothing: 0.5 }).weights, [0.75, 0.25]);
    expectWeights(weighed([1, 1, 1, 1], { base: [7, 1.5, 1, 0.5] }, { clip: 2 }).weights, [
      0.5,
      0.25,
      1 / 6,
      0.25 / 3,
    ]);
  });

  test("that is 0 wherever the scheme weighs is left out with the scheme, and the advice says so", () => {
    const all = [1 / 3, 1 / 3, 1 / 3];
    for (const base of [
      [0, 0, 0],
      [0, 5, 0],
    ]) {
      const { weights, diagnostics } = weighed([4, 0, 2], { base });
      expectWeights(weights, all);
      expect(diagnostics).toMatchObject({ zeroProducts: true });
      expect(diagnostics.advice).toEqual([
        "The base impressions is 0 for every sample that the scheme gives a weight, so scheme and base are left out. Check the base.",
      ]);
    }
    expect(weighed([4, 0, 2], { base: [0, 5, 1] }).diagnostics).toMatchObject({ zeroProducts: false });
  });

  test("beside scores that are all 0 is what weighs, and the advice does not say that weights are equal", () => {
    const { weights, diagnostics } = weighed([0, 0], { base: [1, 3] });
    expectWeights(weights, [0.25, 0.75]);
    expect(diagnostics.advice).toEqual(["All scores are 0, so the scheme weighs every sample alike."]);
    expect(weighed([0, 0], {}).diagnostics.advice).toEqual(["All scores are 0, so every weight is equal."]);
  });
});

describe("balance", () => {
  test("gives every class the same total where the scheme weighs all alike", () => {
    const { weights } = weighed([9, 9, 1, 5], { classes: [0, 0, 0, 1] }, { scheme: "uniform" });
    expectWeights(weights, [1 / 6, 1 / 6, 1 / 6, 1 / 2]);
  });

  test("multiplies by N/(C n_c) of scikit-learn's balanced, so that within a class the scheme decides", () => {
    // Classes of 3 and 1: factors 4/(2·3) and 4/(2·1), the second three times the first.
    const { weights } = weighed([1, 2, 3, 4], { classes: [0, 0, 0, 1] });
    expectWeights(weights, [1 / 18, 2 / 18, 3 / 18, 12 / 18]);
  });

  test("does not count classes that no sample has", () => {
    const { weights } = weighed([1, 1, 1], { classes: [2, 65535, 2] });
    expectWeights(weights, [0.25, 0.5, 0.25]);
  });

  test("of one class changes nothing", () => {
    const scores = [0.3, 2, 0, 7];
    expect(weighed(scores, { classes: [3, 3, 3, 3] }).weights).toEqual(weighed(scores, {}).weights);
  });

  test("counts samples, not their base", () => {
    const { weights } = weighed([1, 1, 1], { base: [10, 1, 1], classes: [0, 0, 1] });
    expectWeights(weights, [5 / 6.5, 0.5 / 6.5, 1 / 6.5]);
  });
});

test("the steps compose in the documented order: scheme, base, balance, sum, smoothing, clip, normalise", () => {
  const sample = fc.record({
    score: fc.double({ min: 0.01, max: 20, noNaN: true }),
    base: fc.integer({ min: 1, max: 1000 }),
    own: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(
      fc.array(sample, { minLength: 1, maxLength: 40 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 1, max: 40, noNaN: true }),
      (samples, smoothing, clip) => {
        const factors = { base: samples.map(({ base }) => base), classes: samples.map(({ own }) => own) };
        const options = { alpha: 0.5, smoothing, clip, normalise: "mean" as const };
        const { weights } = weighed(
          samples.map(({ score }) => score),
          factors,
          options,
        );
        // One scheme makes the product a score: what follows is then the same.
        const products = samples.map(
          ({ score, base, own }) =>
            (Math.sqrt(score) * base) / factors.classes.filter((c) => c === own).length,
        );
        const direct = weighed(products, {}, { ...options, alpha: 1 });
        for (const [index, weight] of direct.weights.entries()) {
          expect(weights[index]).toBeCloseTo(weight, 9);
        }
      },
    ),
  );
});

describe("a programmer's error", () => {
  test.each([
    [{ base: [1, -1] }, {}, "a base must be finite and at least 0, not -1"],
    [{ base: [1, Number.NaN] }, {}, "a base must be finite"],
    [{ base: [1, Infinity] }, {}, "a base must be finite"],
    [{ base: [1] }, {}, "1 factors for 2 scores"],
    [{ classes: [1, 0, 0] }, {}, "3 factors for 2 scores"],
    [{ base: [1, 1] }, { base: null }, "base needs its values"],
    [{}, { base: "impressions" }, "base needs its values"],
    [{ classes: [1, 0] }, { balance: false }, "balance needs classes"],
    [{}, { balance: true }, "balance needs classes"],
  ] as const)("%j with %j is a RangeError", (factors, options, message) => {
    expect(() => weighed([1, 2], factors, options)).toThrow(RangeError);
    expect(() => weighed([1, 2], factors, options)).toThrow(message);
  });
});
