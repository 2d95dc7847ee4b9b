import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { selectionFault } from "../../../src/importance/selection/faults.js";
import { takesEverything } from "../../../src/importance/selection/infobatch.js";
import { randomOf } from "../../../src/importance/selection/random.js";
import { SELECTION_RULES } from "../../../src/importance/selection/rules.js";
import { sample } from "../../../src/importance/selection/sample.js";
import { select } from "../../../src/importance/selection/select.js";
import {
  completed,
  type Estimator,
  SELECTIONS,
  type SelectionColumns,
  type SelectionName,
  type SelectionRequest,
} from "../../../src/importance/selection/types.js";
import { columnsOf, embeddingsOf, requestOf, selected, strataOf } from "./requests.js";

function indicesOf(
  method: SelectionName,
  given: Partial<SelectionRequest>,
  scores: readonly number[],
  columns: Partial<SelectionColumns> = {},
): number[] {
  return [...selected(requestOf(method, given), columnsOf(scores, columns)).indices];
}

/** What every method can select from: distinct scores above 0 and embeddings on a line. */
function anyColumns(count: number): SelectionColumns {
  const scores = Array.from({ length: count }, (_, index) => 1 + ((7 * index) % count));
  return columnsOf(scores, { embeddings: embeddingsOf(scores.map((score) => [score, score ** 2 / count])) });
}

/** The methods that give exactly as many samples as asked. */
const OF_EXACT_SIZE = SELECTIONS.filter(
  (method) => SELECTION_RULES[method].size === "samples" && method !== "poisson",
);

describe("top and bottom", () => {
  test("give the most extreme first, and equal scores by number", () => {
    expect(indicesOf("top", { size: 4 }, [1, 5, 3, 5, -2, 3])).toEqual([1, 3, 2, 5]);
    expect(indicesOf("bottom", { size: 4 }, [1, 5, 3, 5, -2, 3])).toEqual([4, 0, 2, 5]);
    expect(indicesOf("top", { size: 3 }, [0, 0, 0, 0])).toEqual([0, 1, 2]);
    expect(indicesOf("bottom", { size: 2 }, [0, -0, 0])).toEqual([0, 1]);
  });

  test("select within each stratum, and leave out excluded samples", () => {
    const strata = strataOf([0, 1, 0, 1, 0, 0]);
    expect(indicesOf("top", { size: 3 }, [1, 2, 3, 4, 5, 6], { strata })).toEqual([5, 4, 3]);
    expect(indicesOf("top", { quotas: [1, 2] }, [1, 2, 3, 4, 5, 6], { strata })).toEqual([5, 3, 1]);
    const excluded = Uint8Array.of(0, 0, 0, 0, 0, 1);
    expect(indicesOf("top", { quotas: [1, 0] }, [1, 2, 3, 4, 5, 6], { strata, excluded })).toEqual([4]);
  });
});

describe("sample", () => {
  test("gives each drawn sample once, with its count, and 1/(N p) as its multiplier", () => {
    const { indices, estimator } = selected(requestOf("sample", { size: 1000 }), columnsOf([1, 0, 3]));
    expect([...indices]).toEqual([0, 2]);
    expect(estimator?.counts.reduce((a, b) => a + b)).toBe(1000);
    expect([...(estimator?.probabilities ?? [])]).toEqual([0.25, 0.75]);
    expect(estimator?.multipliers[0]).toBeCloseTo(1 / (3 * 0.25), 14);
    expect(estimator?.multipliers[1]).toBeCloseTo(1 / (3 * 0.75), 14);
    expect(estimator?.divisor).toBe(1000);
    expect(estimator?.neverDrawn).toBe(1);
    // Within 4 standard errors of 250.
    expect(Math.abs((estimator?.counts[0] as number) - 250)).toBeLessThan(4 * Math.sqrt(1000 * 0.25 * 0.75));
  });

  test("draws all alike if every weight is 0, and takes weights of any magnitude", () => {
    const zeros = selected(requestOf("sample", { size: 400 }), columnsOf([0, 0]));
    expect([...(zeros.estimator?.probabilities ?? [])]).toEqual([0.5, 0.5]);
    const huge = selected(requestOf("sample", { size: 400 }), columnsOf([1e308, 1e308, 5e-324]));
    expect([...huge.indices]).toEqual([0, 1]);
  });
});

test("sample never draws a weight of 0, not even at the ends of the uniform numbers", () => {
  const at = (uniform: number) => ({ ...randomOf(1), uniform: () => uniform });
  const weights = Float64Array.of(0, 1, 1, 0);
  const members = Uint32Array.of(0, 1, 2, 3);
  expect([...completed(sample(members, weights, 3, at(0))).indices]).toEqual([1]);
  expect([...completed(sample(members, weights, 3, at(1 - 2 ** -53))).indices]).toEqual([2]);
});

describe("many draws", () => {
  /** (runs, n) Counts of samples that were drawn with these weights. */
  function countsOf(weights: readonly number[], size: number, runs: number): number[][] {
    return Array.from({ length: runs }, (_, seed) => {
      const { indices, estimator } = selected(requestOf("sample", { size, seed }), columnsOf(weights));
      const counts = new Array<number>(weights.length).fill(0);
      for (const [at, index] of indices.entries()) counts[index] = estimator?.counts[at] as number;
      return counts;
    });
  }

  test.each([
    ["on borders at halves", [2, 0, 0, 1, 1]],
    ["on borders elsewhere", [0, 1, 2, 3, 4, 0]],
  ])("have the mean and the variance of independent draws: %s", (_, weights) => {
    const [size, runs] = [5000, 1000];
    const runsOf = countsOf(weights, size, runs);
    const total = weights.reduce((a, b) => a + b);
    for (const counts of runsOf) expect(counts.reduce((a, b) => a + b)).toBe(size);
    for (const [index, weight] of weights.entries()) {
      const p = weight / total;
      const variance = size * p * (1 - p);
      const deviations = runsOf.map((counts) => (counts[index] as number) - size * p);
      const mean = deviations.reduce((a, b) => a + b) / runs;
      const squares = deviations.reduce((a, b) => a + b * b, 0) / runs;
      expect(Math.abs(mean)).toBeLessThanOrEqual(4 * Math.sqrt(variance / runs));
      expect(Math.abs(squares - variance)).toBeLessThanOrEqual(4 * variance * Math.sqrt(2 / runs));
    }
  });

  test("take many steps, so that they can be cancelled, and no time for each draw", () => {
    const weights = Array.from({ length: 1000 }, (_, index) => 1 + (index % 7));
    const steps = select(requestOf("sample", { size: 100_000_000 }), columnsOf(weights));
    let taken = 0;
    let step = steps.next();
    for (; step.done !== true; step = steps.next()) taken += 1;
    expect(taken).toBeGreaterThan(20);
    const { counts, probabilities } = step.value.estimator as Estimator;
    expect(counts.reduce((a, b) => a + b)).toBe(100_000_000);
    for (const [at, count] of counts.entries()) {
      const expected = 1e8 * (probabilities[at] as number);
      expect(Math.abs(count - expected)).toBeLessThan(5 * Math.sqrt(expected));
    }
  });
});

describe("poisson", () => {
  test("takes a sample for certain when its probability would exceed 1, and shares what is cut", () => {
    const { indices, estimator } = selected(requestOf("poisson", { size: 2 }), columnsOf([98, 1, 1]));
    expect([...indices]).toContain(0);
    for (const [at, index] of indices.entries()) {
      expect(estimator?.probabilities[at]).toBe(index === 0 ? 1 : 0.5);
      expect(estimator?.multipliers[at]).toBeCloseTo(index === 0 ? 2 / 3 : 4 / 3, 14);
    }
    expect(estimator?.divisor).toBe(2);
  });

  test("takes everything, at multiplier 1, if the size is N, also when weights are 0", () => {
    // 49 · (1/49) is below 1.
    for (const scores of [[5, 1, 1e-9], [0, 0, 0], [0, 1, 0], new Array<number>(49).fill(1)]) {
      const size = scores.length;
      const { indices, estimator } = selected(requestOf("poisson", { size }), columnsOf(scores));
      expect([...indices]).toEqual([...scores.keys()]);
      expect([...(estimator?.multipliers ?? [])]).toEqual(scores.map(() => 1));
    }
  });

  test("counts the samples that have no chance", () => {
    const { estimator } = selected(requestOf("poisson", { size: 1 }), columnsOf([0, 1, 1]));
    expect(estimator?.neverDrawn).toBe(1);
  });
});

describe("infobatch", () => {
  test("keeps the exact share below the mean at multiplier n/k, and all others at 1", () => {
    const scores = [...Array.from({ length: 20 }, (_, index) => index / 100), 9, 9, 9];
    const { indices, estimator, sizes } = selected(requestOf("infobatch", { prune: 0.9 }), columnsOf(scores));
    expect(indices.filter((index) => index < 20)).toHaveLength(2);
    expect([...indices.slice(2)]).toEqual([20, 21, 22]);
    expect([...(estimator?.multipliers ?? [])]).toEqual([10, 10, 1, 1, 1]);
    expect([...(estimator?.probabilities ?? [])]).toEqual([0.1, 0.1, 1, 1, 1]);
    expect(estimator?.divisor).toBe(23);
    expect([...sizes]).toEqual([5]);
  });

  test.each([
    [1, 0.99, 1],
    [10, 0.3, 7],
    [10, 0.7, 3],
    [20, 0.9, 2],
    [7, 0.5, 3],
    [5, 0, 5],
  ])("of %i below the mean, without the share %f, %i stay", (below, prune, stay) => {
    const scores = [...new Array<number>(below).fill(1), 100];
    expect(indicesOf("infobatch", { prune }, scores)).toHaveLength(stay + 1);
  });

  test("keeps everything if all scores are equal, whatever their mean rounds to", () => {
    for (const score of [0, 0.1, 1 / 3, -0.7, Number.MAX_VALUE]) {
      for (const count of [1, 3, 7, 10]) {
        expect(indicesOf("infobatch", { prune: 0.9 }, new Array<number>(count).fill(score))).toHaveLength(
          count,
        );
      }
    }
  });

  test("takes everything in the last eighth of the epochs, rounded up, and other samples in each epoch before", () => {
    expect([0, 6, 7].map((epoch) => takesEverything(epoch, 8))).toEqual([false, false, true]);
    expect([2, 3].map((epoch) => takesEverything(epoch, 4))).toEqual([false, true]);
    expect([13, 14].map((epoch) => takesEverything(epoch, 16))).toEqual([false, true]);
    const scores = Array.from({ length: 40 }, (_, index) => index);
    const epochs = [0, 1, 7].map((epoch) => indicesOf("infobatch", { epoch, epochs: 8 }, scores));
    expect(epochs[0]).toHaveLength(30);
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(epochs[2]).toHaveLength(40);
  });

  test("compares with the mean of the stratum", () => {
    const strata = strataOf([0, 0, 0, 1, 1, 1]);
    const { sizes } = selected(
      requestOf("infobatch", { prune: 0.5 }),
      columnsOf([1, 1, 4, 11, 11, 14], { strata }),
    );
    expect([...sizes]).toEqual([2, 2]);
  });
});

describe("embeddings of a byte for each value", () => {
  /** Rows that need no rounding, because their scales are powers of 2, in both forms. Row i is of cluster i mod 5. */
  function bothForms(count: number, width: number) {
    const values = Int8Array.from({ length: count * width }, (_, at) => {
      const [row, d] = [Math.floor(at / width), at % width];
      return ((row * 31 + d * 17) % 23) + (d % 5 === row % 5 ? 90 : 0) - 60;
    });
    const scales = Float32Array.from({ length: count }, (_, row) => 2 ** -(row % 3));
    const floats = Float32Array.from(
      values,
      (value, at) => value * (scales[Math.floor(at / width)] as number),
    );
    return { packed: { values, scales, width }, plain: { values: floats, width } };
  }

  // The second size is too large for exact neighbours, and the third for exact distances.
  test.each([
    ["facility_location", 60, 9, 10],
    ["facility_location", 1200, 800, 60],
    ["k_center", 60, 9, 10],
    ["k_center", 2500, 800, 2300],
    ["active", 60, 9, 5],
  ] as const)(
    "%s selects of %i samples what it selects of the same numbers in float32",
    (method, count, width, size) => {
      const { packed, plain } = bothForms(count, width);
      const scores = Array.from({ length: count }, (_, index) => (index * 7) % 11);
      const request = requestOf(method, { size, diverse: true });
      const [a, b] = [packed, plain].map((embeddings) =>
        selected(request, columnsOf(scores, { embeddings })),
      );
      expect(a?.indices).toEqual(b?.indices);
    },
  );

  test("are refused if their scales are not as many, or not finite", () => {
    const values = new Int8Array(4).fill(1);
    const request = requestOf("k_center", { size: 1 });
    const columns = (scales: Float32Array) => columnsOf([1, 1], { embeddings: { values, scales, width: 2 } });
    expect(selectionFault(request, columns(Float32Array.of(1)))?.reason).toBe("there are 1 scales, not 2");
    expect(selectionFault(request, columns(Float32Array.of(1, Number.NaN)))?.reason).toMatch(/not finite/);
  });
});

describe("any method", () => {
  test.each(SELECTIONS)("%s selects the only sample there is", (method) => {
    const size = SELECTION_RULES[method].size === "none" ? null : 1;
    const columns = columnsOf([2], { embeddings: embeddingsOf([[1, 2]]) });
    const { indices, estimator } = selected(requestOf(method, { size, diverse: true }), columns);
    expect([...indices]).toEqual([0]);
    expect(estimator === null).toBe(!SELECTION_RULES[method].multipliers);
    if (estimator !== null) expect([...estimator.multipliers]).toEqual([1]);
  });

  test.each(OF_EXACT_SIZE)("%s gives as many different candidates as asked, up to all of them", (method) => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ score: fc.nat(3), excluded: fc.boolean(), x: fc.nat(2) }), {
          minLength: 1,
          maxLength: 20,
        }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.record({
          strength: fc.nat(2),
          diverse: fc.boolean(),
          outliers: fc.constantFrom(0, 0.3),
          seed: fc.nat(),
        }),
        (samples, part, options) => {
          const candidates = [...samples.keys()].filter((index) => samples[index]?.excluded === false);
          fc.pre(candidates.length > 0);
          const size = Math.max(1, Math.round(part * candidates.length));
          const columns = columnsOf(
            samples.map(({ score }) => score),
            {
              excluded: Uint8Array.from(samples, ({ excluded }) => (excluded ? 1 : 0)),
              embeddings: embeddingsOf(samples.map(({ x }) => [x, x * x, 1])),
            },
          );
          const { indices } = selected(requestOf(method, { size, ...options }), columns);
          expect(indices).toHaveLength(size);
          expect(new Set(indices).size).toBe(size);
          for (const index of indices) expect(candidates).toContain(index);
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each(SELECTIONS)("%s answers alike for one seed, and by its rule for another", (method) => {
    const rule = SELECTION_RULES[method];
    const size = rule.size === "none" ? null : 30;
    const answer = (seed: number) => selected(requestOf(method, { size, seed }), anyColumns(97));
    expect(answer(5)).toEqual(answer(5));
    // Geometric methods read the seed only for outliers and for what they do with many samples.
    if (rule.multipliers) expect(answer(5)).not.toEqual(answer(6));
    if (!rule.seeded) expect(answer(5)).toEqual(answer(6));
  });

  test.each(SELECTIONS)("%s gives each stratum what largest remainder or its quota says", (method) => {
    if (SELECTION_RULES[method].size === "none") return;
    const strata = strataOf(Array.from({ length: 100 }, (_, index) => (index < 53 ? 0 : index < 77 ? 1 : 2)));
    const columns = { ...anyColumns(100), strata };
    const proportional = selected(requestOf(method, { size: 10 }), columns);
    expect([...proportional.sizes]).toEqual([5, 3, 2]);
    const quotas = [0, 20, 3];
    const given = selected(requestOf(method, { quotas }), columns);
    expect([...given.sizes]).toEqual(quotas);
    if (given.estimator === null) {
      const counts = [0, 1, 2].map((s) => given.indices.filter((index) => strata.of[index] === s).length);
      expect(counts).toEqual(quotas);
    } else {
      expect(given.estimator.neverDrawn).toBe(53);
      expect(given.indices.every((index) => index >= 53)).toBe(true);
    }
  });
});

test("each stratum is a step, and the last is the whole", () => {
  const strata = strataOf([0, 0, 1, 2, 2], 4);
  const steps = select(requestOf("top", { size: 5 }), columnsOf([1, 2, 3, 4, 5], { strata }));
  const fractions = Array.from(steps);
  expect(fractions).toEqual([0, 0.4, 0.6, 1]);
});

describe("what cannot be selected is refused, with the parameter and the reason", () => {
  const four = columnsOf([1, 2, 3, 4], { embeddings: embeddingsOf([[1], [2], [3], [4]]) });
  const two = { ...four, strata: strataOf([0, 0, 1, 1]) };

  test.each<readonly [string, RegExp, SelectionRequest, SelectionColumns]>([
    ["size", /5 is more than the 4 samples/, requestOf("top", { size: 5 }), four],
    ["size", /5 is more than the 4 samples/, requestOf("poisson", { size: 5 }), four],
    ["size", /0 is not a whole number from 1/, requestOf("sample", { size: 0 }), four],
    ["size", /1.5 is not a whole number/, requestOf("top", { size: 1.5 }), four],
    ["size", /needs a size or quotas/, requestOf("k_center"), four],
    ["size", /takes no size/, requestOf("infobatch", { size: 2 }), four],
    ["size", /1 is less than the 2 strata/, requestOf("sample", { size: 1 }), two],
    ["size", /leave size out/, requestOf("top", { size: 1, quotas: [1, 1] }), two],
    ["quotas", /takes no quotas/, requestOf("infobatch", { quotas: [1, 1] }), two],
    ["quotas", /need strata/, requestOf("top", { quotas: [1] }), four],
    ["quotas", /3 quotas and 2 strata/, requestOf("top", { quotas: [1, 1, 1] }), two],
    ["quotas", /3 is more than the 2 samples of stratum 1/, requestOf("top", { quotas: [1, 3] }), two],
    ["quotas", /-1, of stratum 0, is not/, requestOf("top", { quotas: [-1, 1] }), two],
    ["quotas", /every quota is 0/, requestOf("top", { quotas: [0, 0] }), two],
    [
      "excluded",
      /no sample is left/,
      requestOf("top", { size: 1 }),
      { ...four, excluded: Uint8Array.of(1, 1, 1, 1) },
    ],
    ["scores", /reads scores/, requestOf("top", { size: 1 }), { ...four, scores: null }],
    ["scores", /there are 4, not 3/, requestOf("top", { size: 1 }), { ...four, count: 3 }],
    ["scores", /sample 1 has no finite score/, requestOf("top", { size: 1 }), columnsOf([1, Number.NaN])],
    ["scores", /sample 0 has the score -1/, requestOf("sample", { size: 1 }), columnsOf([-1, 1])],
    [
      "scores",
      /needs scores of at least 0/,
      requestOf("k_center", { size: 1, strength: 1 }),
      { ...four, scores: Float64Array.of(1, 1, -1, 1) },
    ],
    ["embeddings", /reads embeddings/, requestOf("facility_location", { size: 1 }), columnsOf([1])],
    ["embeddings", /reads embeddings/, requestOf("active", { size: 1, diverse: true }), columnsOf([1])],
    [
      "embeddings",
      /3 values are not 2 rows of 2/,
      requestOf("k_center", { size: 1 }),
      columnsOf([1, 1], { embeddings: { values: new Float32Array(3), width: 2 } }),
    ],
    [
      "embeddings",
      /sample 1 is not finite/,
      requestOf("k_center", { size: 1 }),
      columnsOf([1, 1], { embeddings: embeddingsOf([[0], [Infinity]]) }),
    ],
    ["prune", /1 is not at most 0.99/, requestOf("infobatch", { prune: 1 }), four],
    ["epoch", /1.5 is not a whole number/, requestOf("infobatch", { epoch: 1.5 }), four],
    ["epoch", /set epoch too/, requestOf("infobatch", { epochs: 3 }), four],
    ["epoch", /3 is not below epochs 3/, requestOf("infobatch", { epoch: 3, epochs: 3 }), four],
    ["strength", /NaN is not finite/, requestOf("k_center", { size: 1, strength: Number.NaN }), four],
  ])("%s: %s", (parameter, reason, request, columns) => {
    const fault = selectionFault(request, columns);
    expect(fault?.parameter).toBe(parameter);
    expect(fault?.reason).toMatch(reason);
    expect(() => selected(request, columns)).toThrow(RangeError);
  });

  test("what is not read is not checked", () => {
    const noScores = { ...four, scores: null };
    expect(selectionFault(requestOf("k_center", { size: 2 }), noScores)).toBeNull();
    const masked = columnsOf([Number.NaN, 1], { excluded: Uint8Array.of(1, 0) });
    expect(selectionFault(requestOf("sample", { size: 9 }), masked)).toBeNull();
  });
});
