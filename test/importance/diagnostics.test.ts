import { describe, expect, test } from "vitest";
import { paretoTail } from "../../src/importance/pareto.js";
import { WEIGH_DEFAULTS, type WeighOptions } from "../../src/importance/weigh-options.js";
import { weigh } from "../../src/importance/weights.js";

function weighed(scores: ArrayLike<number>, options: Partial<WeighOptions> = {}) {
  return weigh(Float64Array.from(scores), { ...WEIGH_DEFAULTS, scheme: "proportional", ...options });
}

function diagnosticsOf(scores: ArrayLike<number>, options: Partial<WeighOptions> = {}) {
  return weighed(scores, options).diagnostics;
}

/** (N) The quantiles i/(N + 1) of a Pareto distribution of shape k. */
function paretoQuantiles(count: number, k: number): Float64Array {
  return new Float64Array(count).map((_, i) => ((i + 1) / (count + 1)) ** -k);
}

describe("effective sample size and tau", () => {
  test("by hand: w = 1/4, 3/4 is worth 1.6 samples, and tau² = 2/1.6", () => {
    const { effectiveSampleSize, tau, maxWeight } = diagnosticsOf([1, 3]);
    expect(effectiveSampleSize).toBeCloseTo(1.6, 14);
    expect(tau).toBeCloseTo(Math.sqrt(1.25), 14);
    expect(maxWeight).toBe(0.75);
  });

  test("do not depend on the normalisation, while the largest weight is in the answer's unit", () => {
    const byMean = diagnosticsOf([1, 3], { normalise: "mean" });
    expect(byMean.effectiveSampleSize).toBeCloseTo(1.6, 14);
    expect(byMean.maxWeight).toBe(1.5);
  });

  test("one sample alone is worth one", () => {
    const { effectiveSampleSize, tau, maxWeight, advice } = diagnosticsOf([7]);
    expect([effectiveSampleSize, tau, maxWeight, advice]).toEqual([1, 1, 1, []]);
  });
});

describe("Pareto k̂", () => {
  // psislw of ArviZ 0.21.0 on the same weights.
  test.each([
    [25, 0.4, 0.40470026453592367],
    [100, 0.3, 0.2950853379733181],
    [100, 0.9, 0.6061785122699935],
    [400, 0.5, 0.42973980672801476],
    [900, 1.2, 1.0307589385796876],
    [10000, 0.7, 0.6636766379707247],
  ])("of %i quantiles of a Pareto distribution of shape %f is ArviZ's", (count, k, expected) => {
    expect(paretoTail(paretoQuantiles(count, k)).k).toBeCloseTo(expected, 11);
  });

  test("of an exponential and of a bounded tail is ArviZ's", () => {
    const exponential = new Float64Array(100).map((_, i) => -Math.log((i + 1) / 101));
    const bounded = new Float64Array(100).map((_, i) => Math.sqrt((i + 1) / 100));
    expect(paretoTail(exponential).k).toBeCloseTo(0.13845102625201317, 11);
    expect(paretoTail(bounded).k).toBeCloseTo(-0.42926654733346153, 11);
  });

  test("reads ⌊S/5⌋ weights up to 225 samples and ⌊3√S⌋ above", () => {
    const tails = [25, 29, 225, 226, 1000].map((count) => paretoTail(paretoQuantiles(count, 0.5)).tail);
    expect(tails).toEqual([5, 5, 45, 45, 94]);
  });

  test("is trusted under min(1 − 1/log₁₀ S, 0.7)", () => {
    expect(paretoTail(paretoQuantiles(100, 0.5)).threshold).toBeCloseTo(0.5, 14);
    expect(paretoTail(paretoQuantiles(1000, 0.5)).threshold).toBeCloseTo(2 / 3, 14);
    expect(paretoTail(paretoQuantiles(10000, 0.5)).threshold).toBe(0.7);
  });

  test("does not depend on the weights' unit", () => {
    const weights = paretoQuantiles(100, 0.9);
    expect(paretoTail(weights.map((w) => w * 2 ** -1000)).k).toBe(paretoTail(weights).k);
  });

  test("under 25 samples is null and says how many there are", () => {
    expect(paretoTail(paretoQuantiles(24, 0.5))).toEqual({
      k: null,
      threshold: null,
      tail: 0,
      reason: "Pareto k̂ needs at least 25 samples, but there are 24",
    });
  });

  test("of equal weights is null and says so", () => {
    expect(paretoTail(new Float64Array(100).fill(0.01))).toEqual({
      k: null,
      threshold: null,
      tail: 0,
      reason: "the 20 largest weights are all equal, so they have no tail to fit",
    });
  });

  test("of a constant tail above other weights is null and says how long it is", () => {
    const spread = (i: number) => 0.001 * (1 + i / 100);
    const whole = paretoTail(new Float64Array(100).map((_, i) => (i % 5 === 0 ? 0.04 : spread(i))));
    expect(whole).toMatchObject({
      k: null,
      threshold: null,
      tail: 20,
      reason: "the 20 largest weights are all equal, so they have no tail to fit",
    });
    // Of the 20 largest, 8 are 0.04 and the others are equal to the cutoff.
    const part = paretoTail(new Float64Array(100).map((_, i) => (i < 8 ? 0.04 : i < 60 ? 0.01 : spread(i))));
    expect(part).toMatchObject({
      k: null,
      tail: 8,
      reason: expect.stringContaining("the 8 largest weights"),
    });
  });

  test("of a tail that is constant up to rounding is null", () => {
    const { k } = paretoTail(
      new Float64Array(100).map((_, i) => (i < 20 ? 0.04 * (1 + i * Number.EPSILON) : 0.0001 * i)),
    );
    expect(k).toBeNull();
  });

  test("of a few weights above the cutoff is null and says how few", () => {
    const { reason, tail } = paretoTail(new Float64Array(100).map((_, i) => (i < 3 ? i + 2 : 1)));
    expect(tail).toBe(3);
    expect(reason).toBe(
      "only 3 of the 20 largest weights exceed the next weight, which is too few to fit a tail",
    );
  });

  test("is that of the weights before the clip, because a clip hides the tail", () => {
    const heavy = paretoQuantiles(900, 1.2);
    const free = diagnosticsOf(heavy);
    for (const clip of [1, 1.5, 3, 50]) {
      const clipped = diagnosticsOf(heavy, { clip });
      expect(clipped.pareto).toEqual(free.pareto);
      expect(clipped.pareto.k).toBeCloseTo(1.0307589385796876, 11); // ArviZ's
      expect(clipped.effectiveSampleSize).toBeGreaterThan(free.effectiveSampleSize);
    }
  });

  test("is that of the weights after smoothing", () => {
    const heavy = paretoQuantiles(900, 1.2);
    const smoothed = weighed(heavy, { smoothing: 0.5 });
    expect(diagnosticsOf(heavy, { smoothing: 0.5, clip: 2 }).pareto).toEqual(paretoTail(smoothed.weights));
  });

  test("of weights that differ by rounding alone is null", () => {
    const { k } = paretoTail(new Float64Array(100).map((_, i) => 0.01 * (1 + i * Number.EPSILON)));
    expect(k).toBeNull();
  });

  test("is continuous where a point of the fit's grid falls on the exponential tail", () => {
    // 16 exceedances whose fourth is a third of the largest put the ninth of 34 grid points at θ = 0 exactly.
    const tail = [1, 2, 3, 4, 5, 5.5, 6, 6.5, 7, 7.5, 8, 9, 10, 11, 11.5, 12];
    const kOf = (fourth: number) =>
      paretoTail(Float64Array.from([...new Array(64).fill(0), ...tail.with(3, fourth)])).k as number;
    expect(kOf(4)).toBeCloseTo((kOf(4 - 1e-6) + kOf(4 + 1e-6)) / 2, 9);
  });

  test("leaves out weights equal to the cutoff", () => {
    const weights = paretoQuantiles(100, 0.5).map((w) => Math.max(w, 11 ** 0.5));
    expect(paretoTail(weights).tail).toBe(9);
  });
});

describe("advice", () => {
  const noisy = Array.from({ length: 100 }, (_, i) => 1 + (i % 10) / 10);

  test("is silent where all is well", () => {
    expect(diagnosticsOf(noisy).advice).toEqual([]);
  });

  test("says that all scores are zero, unless nobody asked for them", () => {
    const sentence = "All scores are 0, so every weight is equal.";
    expect(diagnosticsOf([0, 0, 0])).toMatchObject({ allZero: true, advice: [sentence] });
    expect(diagnosticsOf([0, 0, 0], { scheme: "softmax" }).advice).toEqual([sentence]);
    expect(diagnosticsOf([0, 0, 0], { scheme: "uniform" }).advice).toEqual([]);
    expect(diagnosticsOf([0, 0, 1]).allZero).toBe(false);
  });

  test("warns of a heavy tail, and under a clip says what the clip does to it", () => {
    const heavy = paretoQuantiles(900, 1.2);
    const decides =
      "Pareto k̂ is 1.03, above 0.66: a few samples decide every average under these weights. Raise smoothing or set a lower clip.";
    expect(diagnosticsOf(heavy).advice).toContain(decides);
    expect(diagnosticsOf(heavy, { clip: 3 }).advice).toEqual([
      "Pareto k̂ of the weights before the clip is 1.03, above 0.66: the tail is so heavy that the clip decides how much the largest scores count. Check the labels of these samples.",
    ]);
    expect(diagnosticsOf(heavy, { clip: 900 }).advice).toContain(decides); // cuts nothing
  });

  test("warns when few samples count, and smoothing calms it", () => {
    const scores = Array.from({ length: 100 }, (_, i) => (i < 5 ? 1 : 0));
    expect(diagnosticsOf(scores).advice).toContain(
      "The 100 weighted samples are worth only 5.0 equally weighted ones. Raise smoothing or set a lower clip.",
    );
    expect(diagnosticsOf(scores, { smoothing: 0.7 }).advice).toEqual([]);
  });

  test("points at a sample that carries more than half", () => {
    expect(diagnosticsOf([6, 2, 1]).advice).toEqual([
      "One sample carries 67% of the weight. Check its label and its text.",
    ]);
    expect(diagnosticsOf([2, 1]).advice).toEqual([]);
  });

  test("says of draw probabilities how many samples are never drawn", () => {
    const [one] = diagnosticsOf([1, 1, 0], { role: "probability" }).advice;
    expect(one).toBe(
      "One sample has draw probability 0 and no multiplier. It is never drawn, even if the loss is high. Set smoothing above 0.",
    );
    expect(diagnosticsOf([1, 1, 0, 0], { role: "probability" }).advice[0]).toContain("2 samples have");
    expect(diagnosticsOf([1, 1, 0]).advice).toEqual([]);
  });

  test("says of draw probabilities when drawing pays: τ > (B + 3b)/(3b)", () => {
    // w = 1/2 and five times 1/10: Σw² = 0.3, τ² = 6 · 0.3, b/B > 1/(3(τ − 1)).
    const [pays] = diagnosticsOf([5, 1, 1, 1, 1, 1], { role: "probability" }).advice;
    expect(pays).toContain("τ is 1.34: drawing pays if you train on more than 98% of the samples you score");
    const [doesNot] = diagnosticsOf([1, 1, 1, 1], { role: "probability" }).advice;
    expect(doesNot).toContain("τ is 1.00: drawing does not repay");
  });
});
