import { describe, expect, test } from "vitest";
import { calibrate, featuresOf, type PartlyExact } from "../../src/importance/calibration.js";
import { type Completer, completerOf } from "../../src/importance/completion.js";
import { pearson, spearman } from "../../src/importance/correlation.js";
import { type NormWeighting, weighEstimated } from "../../src/importance/estimated-weights.js";
import { fitRidge } from "../../src/importance/ridge.js";
import { computeSignals } from "../../src/importance/signals/compute.js";
import { sum } from "../../src/importance/sum.js";
import type { WeighOptions } from "../../src/importance/weigh-options.js";
import { weigh } from "../../src/importance/weights.js";
import { readGradientOracle } from "../support/gradient-oracle.js";

const PROPORTIONAL: WeighOptions = {
  scheme: "proportional",
  alpha: 1,
  temperature: 1,
  epsilon: 0.1,
  lambda: 1,
  role: "multiplier",
  smoothing: 0,
  clip: null,
  normalise: "sum",
  base: null,
  balance: false,
};
const sizeOf = (norms: Float64Array): number => weigh(norms, PROPORTIONAL).diagnostics.effectiveSampleSize;

interface Batch extends Pick<PartlyExact, "features" | "proxies"> {
  readonly norms: Float64Array;
}

/** Norms that follow their proxies up to a bend and a lognormal noise of deviation `noise`: the proxy's own scale is wrong. */
function batchOf(count: number, noise: number, seed: number): Batch {
  const draw = randomOf(seed);
  const logits = Float64Array.from({ length: count }, () => 2.5 * normal(draw));
  const featureNormsSquared = Float64Array.from({ length: count }, () => 4 + 20 * draw());
  const proxies = logits.map(
    (z, i) => (draw() < 0.5 ? sigmoid(z) : sigmoid(-z)) * Math.sqrt((featureNormsSquared[i] as number) + 1),
  );
  const norms = proxies.map((proxy, i) => {
    const z = logits[i] as number;
    return proxy * Math.exp(1.5 - 0.08 * z * z + noise * normal(draw));
  });
  return { features: featuresOf({ logits, featureNormsSquared, classes: 1 }, proxies), proxies, norms };
}

function partly({ features, proxies, norms }: Batch, size: number, seed: number): PartlyExact {
  const exactIndices = shuffled(norms.length, randomOf(seed)).slice(0, size);
  return {
    features,
    proxies,
    exactIndices,
    exact: Float64Array.from(exactIndices, (index) => norms[index] as number),
  };
}

function completerFor(batch: Batch, size: number, seed: number): Completer {
  return completerOf(partly(batch, size, seed)) as Completer;
}

describe("a calibration", () => {
  const batch = batchOf(2000, 0.25, 1);

  test("estimates norms with the error that it states, on samples that it has not seen", () => {
    const shares = [0, 1, 2, 3, 4].map((seed) => {
      const known = partly(batch, 100, seed);
      const { estimates, relativeError } = calibrate(known) as NonNullable<ReturnType<typeof calibrate>>;
      // A lognormal of deviation σ varies by √(e^{σ²} − 1) of its mean.
      expect(relativeError).toBeGreaterThan(0.8 * Math.sqrt(Math.expm1(0.25 ** 2)));
      const unseen = [...batch.norms.keys()].filter((index) => !known.exactIndices.includes(index));
      const errors = unseen.map((i) => {
        const estimate = estimates[i] as number;
        return ((batch.norms[i] as number) - estimate) / (relativeError * estimate);
      });
      return {
        within: (deviations: number) => errors.filter((e) => Math.abs(e) < deviations).length / errors.length,
        meanSquare: errors.reduce((total, e) => total + e * e, 0) / errors.length,
      };
    });
    const over = (figure: (share: (typeof shares)[number]) => number): number =>
      shares.reduce((total, share) => total + figure(share), 0) / shares.length;
    expect(over(({ within }) => within(1))).toBeGreaterThan(0.65);
    expect(over(({ within }) => within(1))).toBeLessThan(0.8);
    expect(over(({ within }) => within(2))).toBeGreaterThan(0.92);
    expect(over(({ meanSquare }) => meanSquare)).toBeGreaterThan(0.8);
    expect(over(({ meanSquare }) => meanSquare)).toBeLessThan(1.25);
  });

  test("of norms without noise is exact", () => {
    const law = batchOf(500, 0, 2);
    const { estimates, relativeError } = calibrate(partly(law, 60, 0)) as NonNullable<
      ReturnType<typeof calibrate>
    >;
    expect(relativeError).toBeLessThan(1e-3);
    // Outside what the share shows, an estimate stays inside its range, so the outermost samples are off.
    const off = estimates.map((estimate, i) => Math.abs(estimate / (law.norms[i] as number) - 1));
    expect(off.toSorted()[450]).toBeLessThan(1e-2);
  });

  test("does not run away from what the share shows", () => {
    const known = partly(batch, 100, 0);
    const features = new Float64Array(known.features);
    const stranger = [...batch.norms.keys()].find((index) => !known.exactIndices.includes(index)) as number;
    features.set([1e3, 1e6], 4 * stranger);
    const calibration = calibrate({ ...known, features });
    const ratios = [...known.exactIndices].map(
      (i) => (batch.norms[i] as number) / (batch.proxies[i] as number),
    );
    const ratio = (calibration?.estimates[stranger] as number) / (batch.proxies[stranger] as number);
    expect(ratio).toBeGreaterThanOrEqual(0.9 * Math.min(...ratios));
    expect(ratio).toBeLessThanOrEqual(1.1 * Math.max(...ratios));
  });

  test("gives 0 where the proxy is 0", () => {
    const proxies = new Float64Array(batch.proxies);
    proxies[3] = 0;
    expect(calibrate({ ...partly(batch, 100, 0), proxies })?.estimates[3]).toBe(0);
  });

  test("needs five samples of the share with a gradient", () => {
    const known = partly(batch, 8, 0);
    const withZeros = (zeros: number): PartlyExact => ({
      ...known,
      exact: known.exact.map((e, s) => (s < zeros ? 0 : e)),
    });
    expect(calibrate(withZeros(3))).not.toBeNull();
    expect(calibrate(withZeros(4))).toBeNull();
    expect(completerOf(withZeros(4))).toBeNull();
  });

  test("takes several logits", () => {
    const logits = Float64Array.from({ length: 3 * batch.norms.length }, (_, i) => Math.sin(i));
    const featureNormsSquared = new Float64Array(batch.norms.length).fill(5);
    const features = featuresOf({ logits, featureNormsSquared, classes: 3 }, batch.proxies);
    expect(features).toHaveLength(8 * batch.norms.length);
    const calibration = calibrate({ ...partly(batch, 200, 0), features });
    expect(calibration?.estimates.every((estimate) => estimate > 0)).toBe(true);
  });
});

describe("on real texts, by PyTorch's gradients", () => {
  const { cases } = readGradientOracle();
  const read = (field: "logit" | "features_squared" | "gram"): Float64Array =>
    Float64Array.from(cases, (one) => one[field]);
  const outputs = {
    logits: read("logit"),
    featureNormsSquared: read("features_squared"),
    gram: read("gram"),
    classes: 1,
  };
  const labels = cases.map(({ label }) => label);
  const columns = computeSignals(outputs, labels, "bce", ["grad_norm", "grad_norm_last"]);
  const [norms, proxies] = (["grad_norm", "grad_norm_last"] as const).map((name) =>
    Float64Array.from(columns.get(name) as readonly number[]),
  ) as [Float64Array, Float64Array];
  const batch = { norms, proxies, features: featuresOf(outputs, proxies) };
  const shares = Array.from({ length: 120 }, (_, seed) => {
    const known = partly(batch, 60, seed);
    const completer = completerOf(known) as Completer;
    const { estimates, relativeError } = completer.calibration;
    const unseen = [...norms.keys()].filter((index) => !known.exactIndices.includes(index));
    return {
      errors: unseen.map((i) => ((norms[i] as number) / (estimates[i] as number) - 1) / relativeError),
      pearson: pearson(estimates, norms) as number,
      size: completer.estimate(sizeOf),
      sum: completer.estimate(sum),
    };
  });

  test("errors cover what they say", () => {
    const errors = shares.flatMap((share) => share.errors);
    const within = (deviations: number): number =>
      errors.filter((e) => Math.abs(e) < deviations).length / errors.length;
    expect(within(1)).toBeGreaterThan(0.68);
    expect(within(1)).toBeLessThan(0.85);
    expect(within(2)).toBeGreaterThan(0.92);
    const meanSquare = errors.reduce((total, e) => total + e * e, 0) / errors.length;
    expect(meanSquare).toBeGreaterThan(0.7);
    expect(meanSquare).toBeLessThan(1.4);
  });

  test("estimates have the magnitudes that the proxy has not", () => {
    const mean = shares.reduce((total, share) => total + share.pearson, 0) / shares.length;
    expect(mean).toBeGreaterThan((pearson(proxies, norms) as number) + 0.05);
  });

  test("the sum and the sample size mostly lie within two errors of the truth", () => {
    const truth = { size: sizeOf(norms), sum: sum(norms) };
    // A share that misses the largest norms knows neither its size nor how far off it is: of 300 shares 84% and 92% do.
    for (const [name, withinMin] of [
      ["size", 0.74],
      ["sum", 0.82],
    ] as const) {
      const within = shares.filter(
        (share) => Math.abs(share[name].value - truth[name]) < 2 * share[name].error,
      );
      expect(within.length / shares.length, name).toBeGreaterThan(withinMin);
    }
  });
});

describe("a completed batch", () => {
  const batch = batchOf(2000, 0.5, 3);
  const truth = { size: sizeOf(batch.norms), sum: sum(batch.norms) };

  test("has the size that the estimates flatter, and the sum, on average and within its error", () => {
    const shares = Array.from({ length: 40 }, (_, seed) => {
      const completer = completerFor(batch, 120, seed);
      return {
        size: completer.estimate(sizeOf),
        sum: completer.estimate(sum),
        flattered: sizeOf(completer.calibration.estimates),
        estimated: sum(completer.calibration.estimates),
      };
    });
    const meanOf = (figure: (share: (typeof shares)[number]) => number): number =>
      shares.reduce((total, share) => total + figure(share), 0) / shares.length;
    expect(meanOf(({ flattered }) => flattered) / truth.size).toBeGreaterThan(1.1);
    expect(Math.abs(meanOf(({ size }) => size.value) / truth.size - 1)).toBeLessThan(0.04);
    expect(Math.abs(meanOf((share) => share.sum.value) / truth.sum - 1)).toBeLessThan(0.02);
    // An estimate is a mean: the fit's median would be low by e^{σ²/2}, 12%.
    expect(Math.abs(meanOf(({ estimated }) => estimated) / truth.sum - 1)).toBeLessThan(0.02);
    for (const name of ["size", "sum"] as const) {
      const within = shares.filter(
        (share) => Math.abs(share[name].value - truth[name]) < 2 * share[name].error,
      );
      expect(within.length, name).toBeGreaterThanOrEqual(32);
      // Nor is the error so large that it says nothing.
      const spread = Math.sqrt(meanOf((share) => (share[name].value - truth[name]) ** 2));
      expect(meanOf((share) => share[name].error)).toBeLessThan(1.6 * spread);
    }
  });

  test("is the batch itself where the share is everything", () => {
    const completer = completerFor(batch, 2000, 0);
    expect(completer.example).toEqual(batch.norms);
    expect(completer.estimate(sizeOf)).toEqual({ value: truth.size, error: 0 });
  });

  test("keeps what the share knows", () => {
    const known = partly(batch, 120, 0);
    const { example } = completerOf(known) as Completer;
    expect(Float64Array.from(known.exactIndices, (index) => example[index] as number)).toEqual(known.exact);
  });

  test("has an error that shrinks with the share, to 0 where it is everything", () => {
    const errorAt = (size: number): number => completerFor(batch, size, 5).estimate(sum).error;
    expect(errorAt(50)).toBeGreaterThan(errorAt(400));
    // By 1/√m alone it would be 0.46 of it: little is unknown beside 1900 of 2000.
    expect(errorAt(1900) / errorAt(400)).toBeLessThan(0.25);
  });
});

describe("weights by estimated norms", () => {
  const batch = batchOf(1000, 0.5, 4);
  const completer = completerFor(batch, 100, 0);
  const { estimates } = completer.calibration;
  const norms = (options: WeighOptions): NormWeighting => ({
    scoresOf: (batch) => batch,
    options,
    factors: {},
  });

  test("are those of the norms, and their diagnostics are not", () => {
    const weighting = weighEstimated(estimates, completer, norms(PROPORTIONAL));
    const plain = weigh(estimates, PROPORTIONAL);
    expect(weighting.weights).toEqual(plain.weights);
    const { effectiveSampleSize, tau, maxWeight, pareto } = weighting.diagnostics;
    expect(effectiveSampleSize).toBeLessThan(0.95 * plain.diagnostics.effectiveSampleSize);
    expect(weighting.effectiveSampleSizeError).toBeGreaterThan(0);
    expect(tau).toBeCloseTo(Math.sqrt(1000 / effectiveSampleSize), 12);
    expect(maxWeight).toBe(plain.diagnostics.maxWeight);
    expect(pareto.k).toBeGreaterThan(plain.diagnostics.pareto.k as number);
  });

  test("follow the scheme, its clip and its normalisation", () => {
    const options: WeighOptions = { ...PROPORTIONAL, clip: 1.5, smoothing: 0.2, normalise: "mean" };
    const weighting = weighEstimated(estimates, completer, norms(options));
    expect(weighting.diagnostics.maxWeight).toBeCloseTo(1.5, 9);
    const exact = weigh(batch.norms, options).diagnostics.effectiveSampleSize;
    expect(Math.abs(weighting.diagnostics.effectiveSampleSize - exact)).toBeLessThan(
      4 * weighting.effectiveSampleSizeError,
    );
  });

  test("are multiplied by base and balance, and so are those behind the diagnostics", () => {
    const options: WeighOptions = { ...PROPORTIONAL, base: "impressions", balance: true };
    const factors = {
      base: Float64Array.from(estimates, (_, index) => (index % 20 === 0 ? 50 : 1)),
      classes: Uint16Array.from(estimates, (_, index) => (index % 10 === 0 ? 1 : 0)),
    };
    const weighting = weighEstimated(estimates, completer, { ...norms(options), factors });
    expect(weighting.weights).toEqual(weigh(estimates, options, factors).weights);
    const exact = weigh(batch.norms, options, factors).diagnostics.effectiveSampleSize;
    expect(exact).toBeLessThan(0.5 * weigh(batch.norms, PROPORTIONAL).diagnostics.effectiveSampleSize);
    expect(Math.abs(weighting.diagnostics.effectiveSampleSize - exact)).toBeLessThan(
      4 * weighting.effectiveSampleSizeError,
    );
  });

  test("of equal scores have no error in their size", () => {
    const weighting = weighEstimated(estimates, completer, {
      ...norms(PROPORTIONAL),
      scoresOf: (batch) => batch.map(() => 1),
    });
    expect(weighting.diagnostics.effectiveSampleSize).toBeCloseTo(1000, 6);
    expect(weighting.effectiveSampleSizeError).toBeCloseTo(0, 6);
  });
});

describe("a ridge fit", () => {
  const draw = randomOf(9);
  const rows = Array.from({ length: 30 }, () => [100 + normal(draw), 7, 1e-3 * normal(draw)]);
  const targets = Float64Array.from(rows, ([a = 0, , c = 0]) => 2 + 0.5 * a + 300 * c + 0.1 * normal(draw));

  test("finds the line, whatever the features' units, and ignores a constant one", () => {
    const { slopes, intercept } = fitRidge(Float64Array.from(rows.flat()), targets);
    expect(slopes[0]).toBeCloseTo(0.5, 1);
    expect(slopes[1]).toBe(0);
    expect(slopes[2]).toBeGreaterThan(200);
    expect(slopes[2]).toBeLessThan(400);
    expect(Math.abs(intercept - 2)).toBeLessThan(10);
  });

  test("leaves each residual's own sample out", () => {
    const { residuals } = fitRidge(Float64Array.from(rows.flat()), targets);
    for (const left of [0, 11, 29]) {
      const others = rows.filter((_, i) => i !== left);
      const { slopes, intercept } = fitRidge(
        Float64Array.from(others.flat()),
        targets.filter((_, i) => i !== left),
      );
      const predicted = (rows[left] as number[]).reduce(
        (y, x, p) => y + x * (slopes[p] as number),
        intercept,
      );
      expect(residuals[left]).toBeCloseTo((targets[left] as number) - predicted, 3);
    }
  });

  test("does not follow noise", () => {
    const noise = targets.map(() => normal(draw));
    const { slopes } = fitRidge(Float64Array.from(rows.flat()), noise);
    expect(Math.abs(slopes[0] as number)).toBeLessThan(0.2);
  });
});

describe("correlations", () => {
  const a = Float64Array.of(1, 2, 3, 4, 5, 5);
  const b = Float64Array.of(2, 1, 4, 3, 100, 7);

  test("are those of SciPy 1.17", () => {
    expect(pearson(a, b)).toBeCloseTo(0.5365362173572902, 12);
    expect(spearman(a, b)).toBeCloseTo(0.8696565534786727, 12);
  });

  test("are null without variation, and 1 of a line, at any scale", () => {
    expect(pearson(a, new Float64Array(6).fill(0.1))).toBeNull();
    expect(spearman(new Float64Array(6), b)).toBeNull();
    expect(
      pearson(
        a.map((x) => x * 1e-200),
        a.map((x) => 3 + 1e-3 * x),
      ),
    ).toBeCloseTo(1, 12);
  });
});

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

/** Uniform in [0, 1): Mulberry32. */
function randomOf(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function normal(draw: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
}

function shuffled(count: number, draw: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last -= 1) {
    const other = Math.floor(draw() * (last + 1));
    [order[last], order[other]] = [order[other] as number, order[last] as number];
  }
  return order;
}
