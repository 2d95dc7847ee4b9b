import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { SCHEMES } from "../../src/importance/types.js";
import { WEIGH_DEFAULTS, type WeighOptions } from "../../src/importance/weigh-options.js";
import { multiplierOf, weigh } from "../../src/importance/weights.js";

function weightsOf(scores: readonly number[], options: Partial<WeighOptions>): number[] {
  return [...weighed(scores, options).weights];
}

function weighed(scores: readonly number[], options: Partial<WeighOptions>) {
  return weigh(Float64Array.from(scores), { ...WEIGH_DEFAULTS, scheme: "proportional", ...options });
}

/** Draw probabilities, and what each drawn sample's loss is multiplied by. */
function drawn(scores: readonly number[]) {
  const weights = weightsOf(scores, { role: "probability" });
  return { weights, multipliers: weights.map((p) => multiplierOf(p, weights.length)) };
}

function expectWeights(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [index, weight] of expected.entries()) expect(actual[index]).toBeCloseTo(weight, 14);
}

describe("schemes", () => {
  test("proportional weighs by the score, or by a power of it", () => {
    expectWeights(weightsOf([1, 3], {}), [0.25, 0.75]);
    expectWeights(weightsOf([1, 3], { alpha: 2 }), [0.1, 0.9]);
    expectWeights(weightsOf([1, 3], { alpha: 0 }), [0.5, 0.5]);
  });

  test("softmax weighs by e to the score, and a higher temperature evens out", () => {
    expectWeights(weightsOf([0, Math.log(3)], { scheme: "softmax" }), [0.25, 0.75]);
    expectWeights(weightsOf([0, Math.log(9)], { scheme: "softmax", temperature: 2 }), [0.25, 0.75]);
  });

  test("rank gives the largest score N shares and ties the mean of theirs", () => {
    expectWeights(weightsOf([5, 1, 5, -2], { scheme: "rank" }), [0.35, 0.2, 0.35, 0.1]);
  });

  test("inverse weighs by one over the score plus epsilon", () => {
    expectWeights(weightsOf([0, 1], { scheme: "inverse", epsilon: 0.5 }), [0.75, 0.25]);
  });

  test("uniform does not read the scores", () => {
    expectWeights(weightsOf([9, -1, 0, 4], { scheme: "uniform" }), [0.25, 0.25, 0.25, 0.25]);
  });

  test("unit_gradient adds λ unit gradients: the weighted gradients sum to ∇L + λE[I], up to one factor", () => {
    const gradients = [0.5, -2, 4, -0.25]; // of one parameter, so that ∇ℓ/‖∇ℓ‖ is the sign
    const weights = weightsOf(gradients.map(Math.abs), {
      scheme: "unit_gradient",
      lambda: 3,
      epsilon: 1e-6,
      normalise: "mean",
    });
    const raw = gradients.map((g) => 1 + 3 / Math.abs(g));
    const factor = raw.reduce((a, b) => a + b) / 4;
    const step = gradients.reduce((sum, g, i) => sum + (weights[i] as number) * g, 0);
    const wanted = gradients.reduce((sum, g) => sum + g + 3 * Math.sign(g), 0);
    expect(step * factor).toBeCloseTo(wanted, 12);
  });

  test("unit_gradient divides by epsilon at least, and with λ = 0 weighs all alike", () => {
    expectWeights(weightsOf([0, 0.5, 1], { scheme: "unit_gradient", epsilon: 0.5 }), [3 / 8, 3 / 8, 2 / 8]);
    expectWeights(weightsOf([0, 9], { scheme: "unit_gradient", lambda: 0 }), [0.5, 0.5]);
  });

  test("proportional makes all zeros uniform", () => {
    expectWeights(weightsOf([0, 0, 0, 0], {}), [0.25, 0.25, 0.25, 0.25]);
  });
});

describe("after the scheme", () => {
  test("smoothing mixes with the uniform", () => {
    expectWeights(weightsOf([1, 3], { smoothing: 0.5 }), [0.375, 0.625]);
  });

  test("smoothing of 1 is the uniform itself", () => {
    expect(weightsOf([1, 3, 0, 0], { smoothing: 1 })).toEqual([0.25, 0.25, 0.25, 0.25]);
  });

  test("what the clip takes from one goes to the others in proportion", () => {
    expectWeights(weightsOf([7, 1.5, 1, 0.5], { clip: 2 }), [0.5, 0.25, 1 / 6, 0.25 / 3]);
  });

  test("a sample that meets the cap only when raised is capped as well", () => {
    expectWeights(weightsOf([0.6, 0.3, 0.05, 0.05], { clip: 1.6 }), [0.4, 0.4, 0.1, 0.1]);
  });

  test("when every positive weight is at the cap, the zeros share what is left", () => {
    expectWeights(weightsOf([1, 0, 0, 0], { clip: 2 }), [0.5, 0.5 / 3, 0.5 / 3, 0.5 / 3]);
  });

  test("a clip of 1 leaves no choice but the uniform", () => {
    expectWeights(weightsOf([7, 1, 0, 4], { clip: 1 }), [0.25, 0.25, 0.25, 0.25]);
  });

  test("smoothing comes before the clip, so that the cap holds", () => {
    expectWeights(weightsOf([1, 0], { smoothing: 0.2, clip: 1.5 }), [0.75, 0.25]);
  });

  test("mean-1 weights are N times the sum-1 weights", () => {
    expectWeights(weightsOf([1, 3], { normalise: "mean" }), [0.5, 1.5]);
  });
});

describe("draw probabilities", () => {
  test("each carries the multiplier 1/(N p)", () => {
    const { weights, multipliers } = drawn([1, 3]);
    expectWeights(weights, [0.25, 0.75]);
    expectWeights(multipliers as number[], [2, 2 / 3]);
  });

  test("keep the objective: Σ p/(N p) ℓ is the mean loss", () => {
    const losses = [0.3, 2, 0.1, 5];
    const { weights, multipliers } = drawn([1, 3, 0.2, 4]);
    const mean = losses.reduce((s, loss, i) => s + (weights[i] ?? 0) * (multipliers[i] ?? 0) * loss, 0);
    expect(mean).toBeCloseTo((0.3 + 2 + 0.1 + 5) / 4, 14);
  });

  test("a probability of 0 has no multiplier, nor one whose multiplier is beyond a double", () => {
    expect(drawn([1, 0]).multipliers).toEqual([0.5, null]);
    expect(drawn([1, 1e-310]).multipliers).toEqual([0.5, null]);
  });
});

describe("a programmer's error", () => {
  test.each([
    [[], {}, "no scores"],
    [[1, Number.NaN], {}, "not finite"],
    [[1, Infinity], {}, "not finite"],
    [[1, -1], {}, "proportional takes scores of at least 0"],
    [[1, -1], { scheme: "inverse" }, "inverse takes scores of at least 0"],
    [[1], { alpha: -1 }, "alpha -1"],
    [[1], { alpha: Infinity }, "alpha Infinity"],
    [[1], { temperature: 0 }, "temperature 0"],
    [[1], { temperature: Infinity }, "temperature Infinity"],
    [[1], { epsilon: 0 }, "epsilon 0"],
    [[1], { epsilon: Infinity }, "epsilon Infinity"],
    [[1], { lambda: -1 }, "lambda -1"],
    [[1], { lambda: Infinity }, "lambda Infinity"],
    [[1, -1], { scheme: "unit_gradient" }, "unit_gradient takes scores of at least 0"],
    [[1], { smoothing: 1.1 }, "smoothing 1.1"],
    [[1], { smoothing: Number.NaN }, "smoothing NaN"],
    [[1], { clip: 0.99 }, "clip 0.99"],
    [[1], { clip: Infinity }, "clip Infinity"],
    [[1], { role: "probability", normalise: "mean" }, "normalise must be sum with role probability"],
  ] as const)("%j with %j is a RangeError that names it", (scores, options, message) => {
    expect(() => weighed(scores, options)).toThrow(RangeError);
    expect(() => weighed(scores, options)).toThrow(message);
  });
});

describe("docs/weights.md", () => {
  const page = readFileSync(new URL("../../docs/weights.md", import.meta.url), "utf8");
  const scores = [0.1, 0.2, 0.3, 1.4];
  const print = (figures: readonly (number | null)[]) => figures.map((x) => x?.toFixed(3)).join(" ");

  test.each(SCHEMES)("prints the weights that %s gives", (scheme) => {
    const row = page.split("\n").find((line) => line.startsWith(`| \`${scheme}\``));
    expect(row).toContain(`| ${print(weightsOf(scores, { scheme }))} |`);
  });

  test("prints the weights that balance gives", () => {
    const options = { ...WEIGH_DEFAULTS, scheme: "proportional", balance: true } as const;
    const { weights } = weigh(Float64Array.of(1, 2, 3, 4), options, { classes: Uint16Array.of(0, 0, 0, 1) });
    expect(page.replaceAll("\n", " ")).toContain(`and with \`balance\` ${print([...weights])}.`);
  });

  test("prints the draw probabilities and multipliers that role probability gives", () => {
    const { weights, multipliers } = drawn(scores);
    expect(page).toContain(`p = ${print(weights)} and multipliers ${print(multipliers)}.`);
  });
});
