import { describe, expect, it } from "vitest";
import { percentileOf, wordsOfWeight } from "../../dashboard/src/words.js";

const histogram = {
  column: "loss",
  count: 10,
  missing: 0,
  edges: [0, 1, 2, 4],
  counts: [5, 0, 5],
  mean: 1,
  quantiles: {},
};

const snapshot = {
  version: 3,
  as_of: "2026-12-01T00:00:00.000Z",
  samples: 200,
  weight_sum: 1,
  provenance: { weighting: { signal: "grad_norm_last", scheme: "proportional", smoothing: 0.1, clip: 5 } },
};
const weighed = { weight: 0.01, later: false, snapshot, value: 6.5, percentile: 0.9 };

describe("the percentile of a value", () => {
  it("is interpolated within its bin", () => {
    expect([-1, 0, 0.5, 1, 1.5, 3, 4, 9].map((value) => percentileOf(histogram, value))).toEqual([
      0, 0, 0.25, 0.5, 0.5, 0.75, 1, 1,
    ]);
  });

  it("is null if nothing was counted", () => {
    expect(percentileOf({ ...histogram, count: 0, edges: [], counts: [] }, 1)).toBeNull();
  });
});

describe("why a sample weighs what it weighs", () => {
  it("is its weight by the mean, the scheme, the place of its signal, and what bounds the weight", () => {
    expect(wordsOfWeight(weighed)).toEqual([
      "It weighs 2 times the mean of the 200 samples in snapshot 3.",
      "Weights grow with grad norm last: twice as much weighs twice as much.",
      "Its grad norm last is 6.500, above about 90% of the dataset.",
      "Smoothing mixes 10% of an equal weight into every weight.",
      "No weight is more than 5 times the mean.",
    ]);
  });

  it("is said of samples without a weight too", () => {
    expect(wordsOfWeight({ ...weighed, snapshot: null })[0]).toMatch(/not been weighed yet/);
    expect(wordsOfWeight({ ...weighed, weight: null })[0]).toMatch(/came later, without grad norm last/);
    expect(wordsOfWeight({ ...weighed, later: true }).at(-1)).toMatch(/came after the snapshot/);
  });
});
