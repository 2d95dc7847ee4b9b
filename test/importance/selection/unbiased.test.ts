import { describe, expect, test } from "vitest";
import { type Random, randomOf } from "../../../src/importance/selection/random.js";
import { randomSubset } from "../../../src/importance/selection/subset.js";
import type { SelectionColumns, SelectionRequest } from "../../../src/importance/selection/types.js";
import { columnsOf, requestOf, selected, strataOf } from "./requests.js";

const REPEATS = 2000;
const N = 90;

/** Losses with a tail, a metric that is related to them but not proportional, and three unequal strata that differ in both. */
const random = randomOf("population");
const STRATA = Array.from({ length: N }, (_, index) => (index % 15 === 0 ? 2 : index % 3 === 0 ? 1 : 0));
const LOSSES = STRATA.map((stratum) => 0.05 + (stratum + 1) * -Math.log(1 - random.uniform()));
const METRIC = LOSSES.map(
  (loss, index) => 1 + 2 * Math.sqrt(loss) - (STRATA[index] as number) + random.uniform(),
);
const WEIGHTS = LOSSES.map((loss) => loss / LOSSES.reduce((a, b) => a + b));

/** Mean, its standard error, and variance of what an estimator gives over many draws. */
function simulated(estimate: (repeat: number) => number) {
  const estimates = Array.from({ length: REPEATS }, (_, repeat) => estimate(repeat));
  const mean = estimates.reduce((a, b) => a + b) / REPEATS;
  const variance = estimates.reduce((total, e) => total + (e - mean) ** 2, 0) / (REPEATS - 1);
  return { mean, variance, error: Math.sqrt(variance / REPEATS) };
}

/** By how many standard errors the mean estimate is off the mean of the metric. */
function offBy({ mean, error }: { mean: number; error: number }, metric: readonly number[] = METRIC): number {
  return Math.abs(mean - metric.reduce((a, b) => a + b) / metric.length) / error;
}

/** What a trainer computes: Σ counts · multipliers · x / divisor. */
function estimateBy(
  request: SelectionRequest,
  columns: SelectionColumns,
  metric: readonly number[] = METRIC,
) {
  return simulated((repeat) => {
    const { indices, estimator } = selected({ ...request, seed: repeat }, columns);
    if (estimator === null) throw new Error(`${request.method} gives no multipliers`);
    const { counts, multipliers, divisor } = estimator;
    return (
      indices.reduce(
        (total, index, at) =>
          total + (counts[at] as number) * (multipliers[at] as number) * (metric[index] as number),
        0,
      ) / divisor
    );
  });
}

const plain = columnsOf(WEIGHTS);
const stratified = columnsOf(WEIGHTS, { strata: strataOf(STRATA) });

const CASES: readonly (readonly [string, SelectionRequest, SelectionColumns])[] = [
  ["sample", requestOf("sample", { size: 20 }), plain],
  ["sample with more draws than samples", requestOf("sample", { size: 200 }), plain],
  ["sample with proportional strata", requestOf("sample", { size: 20 }), stratified],
  ["sample with quotas", requestOf("sample", { quotas: [3, 9, 5] }), stratified],
  ["poisson", requestOf("poisson", { size: 20 }), plain],
  ["poisson with certain samples", requestOf("poisson", { size: 60 }), plain],
  ["poisson with proportional strata", requestOf("poisson", { size: 20 }), stratified],
  ["poisson with quotas", requestOf("poisson", { quotas: [30, 4, 6] }), stratified],
  ["infobatch", requestOf("infobatch", { prune: 0.7 }), plain],
  ["infobatch with strata", requestOf("infobatch", { prune: 0.7 }), stratified],
  ["infobatch in an epoch", requestOf("infobatch", { epoch: 1, epochs: 8 }), plain],
];

describe(`the mean estimate over ${REPEATS} draws lies within 4 standard errors of the full data's mean`, () => {
  test.each(CASES)("%s", (_, request, columns) => {
    const figures = estimateBy(request, columns);
    expect(figures.variance).toBeGreaterThan(0);
    expect(offBy(figures)).toBeLessThan(4);
  });

  test("excluded samples do not count in the mean", () => {
    const excluded = Uint8Array.from({ length: N }, (_, index) => ((LOSSES[index] as number) > 1.5 ? 1 : 0));
    const rest = METRIC.filter((_, index) => excluded[index] === 0);
    for (const method of ["sample", "poisson"] as const) {
      const figures = estimateBy(requestOf(method, { size: 20 }), { ...stratified, excluded });
      expect(offBy(figures, rest)).toBeLessThan(4);
      expect(offBy(figures)).toBeGreaterThan(4);
    }
  });

  test("the test finds the bias of drawing without replacement with multipliers 1/(N p)", () => {
    const biased = simulated((repeat) => {
      const drawn = withoutReplacement(WEIGHTS, 20, randomOf(repeat));
      return drawn.reduce(
        (total, index) => total + (METRIC[index] as number) / (N * (WEIGHTS[index] as number)) / drawn.length,
        0,
      );
    });
    expect(offBy(biased)).toBeGreaterThan(4);
  });

  test("the test finds the bias of a mean over distinct samples, and of dividing by the number kept", () => {
    const distinct = simulated((repeat) => {
      const { indices, estimator } = selected(requestOf("sample", { size: 60, seed: repeat }), plain);
      return indices.reduce(
        (total, index, at) =>
          total + ((estimator?.multipliers[at] as number) * (METRIC[index] as number)) / indices.length,
        0,
      );
    });
    expect(offBy(distinct)).toBeGreaterThan(4);
    const kept = simulated((repeat) => {
      const { indices, estimator } = selected(requestOf("infobatch", { seed: repeat }), plain);
      return indices.reduce(
        (total, index, at) =>
          total + ((estimator?.multipliers[at] as number) * (METRIC[index] as number)) / indices.length,
        0,
      );
    });
    expect(offBy(kept)).toBeGreaterThan(4);
  });
});

describe("the variance is below that of uniform drawing", () => {
  const size = 20;
  const magnitudes = METRIC.map(Math.abs);
  const uniform = columnsOf(METRIC.map(() => 1));
  const positive = METRIC.map((x) => Math.abs(x)); // without cancellation, proportional drawing has no variance at all

  test("sample with p ∝ |metric|", () => {
    const byMetric = estimateBy(requestOf("sample", { size }), columnsOf(magnitudes));
    const atRandom = estimateBy(requestOf("sample", { size }), uniform);
    expect(byMetric.variance).toBeLessThan(0.8 * atRandom.variance);
    expect(estimateBy(requestOf("sample", { size }), columnsOf(magnitudes), positive).variance).toBeLessThan(
      1e-24,
    );
  });

  test("poisson with p ∝ |metric|: both variances are Σ (1/π − 1) x²/N²", () => {
    const total = positive.reduce((a, b) => a + b);
    const variances = [columnsOf(magnitudes), uniform].map((columns, u) => {
      const theory = positive.reduce((sum, x) => {
        const inclusion = u === 0 ? (size * x) / total : size / N;
        return sum + ((1 / inclusion - 1) * x * x) / N ** 2;
      }, 0);
      const { variance } = estimateBy(requestOf("poisson", { size }), columns, positive);
      // The relative error of a variance is √(2/R) for normal estimates.
      expect(Math.abs(variance / theory - 1)).toBeLessThan(4 * Math.sqrt(2 / REPEATS));
      return variance;
    });
    expect(variances[0]).toBeLessThan(variances[1] as number);
  });

  test("infobatch by the metric, compared with keeping as many at random", () => {
    const byMetric = estimateBy(requestOf("infobatch"), columnsOf(positive), positive);
    const kept = selected(requestOf("infobatch"), columnsOf(positive)).indices.length;
    const atRandom = simulated((repeat) =>
      randomSubset(N, kept, randomOf(repeat)).reduce(
        (total, index) => total + (positive[index] as number) / kept,
        0,
      ),
    );
    expect(byMetric.variance).toBeLessThan(0.8 * atRandom.variance);
  });

  test("strata that explain the metric, compared with none", () => {
    const within = estimateBy(
      requestOf("sample", { size }),
      { ...uniform, strata: strataOf(STRATA) },
      STRATA,
    );
    const across = estimateBy(requestOf("sample", { size }), uniform, STRATA);
    expect(within.variance).toBeLessThan(1e-24);
    expect(across.variance).toBeGreaterThan(1e-3);
  });
});

/** One after another, each by the weights of those that are left: the method that selection does not offer. */
function withoutReplacement(weights: readonly number[], size: number, random: Random): number[] {
  const left = [...weights.keys()];
  return Array.from({ length: size }, () => {
    const total = left.reduce((sum, index) => sum + (weights[index] as number), 0);
    let target = random.uniform() * total;
    const place = left.findIndex((index) => {
      target -= weights[index] as number;
      return target < 0;
    });
    return left.splice(place, 1)[0] as number;
  });
}
