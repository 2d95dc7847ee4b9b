import { describe, expect, it } from "vitest";
import { effectiveSize } from "../../../src/importance/diagnostics.js";
import {
  type EstimatedMean,
  hajek,
  horvitzThompson,
  importanceMean,
  relativeWeights,
  selfNormalised,
  shares,
} from "../../../src/importance/estimation/means.js";
import { randomOf } from "../../../src/importance/selection/random.js";

const { uniform: random } = randomOf(7, "estimates");

/** Box and Muller 1958. */
function normal(): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** How an estimator did over many draws, in standard errors of what the draws can show. */
function over(
  draws: number,
  truth: number,
  draw: () => EstimatedMean,
): { bias: number; covered: number; ratio: number } {
  const found = Array.from({ length: draws }, draw);
  const mean = found.reduce((total, each) => total + each.mean, 0) / draws;
  const variance = found.reduce((total, each) => total + (each.mean - mean) ** 2, 0) / (draws - 1);
  const stated = found.reduce((total, each) => total + each.standardError ** 2, 0) / draws;
  return {
    bias: (mean - truth) / Math.sqrt(variance / draws),
    covered: found.filter((each) => Math.abs(each.mean - truth) <= 1.96 * each.standardError).length / draws,
    ratio: stated / variance,
  };
}

const DRAWS = 2000;

/** A population whose members are more often included where their value is large. */
const population = Array.from({ length: 2000 }, () => {
  const size = 1 + 4 * random();
  return { value: size + normal(), pi: 0.02 * size * size };
});
const truth = population.reduce((total, { value }) => total + value, 0) / population.length;

function included(): { values: number[]; pi: number[] } {
  const drawn = population.filter(({ pi }) => random() < pi);
  return { values: drawn.map(({ value }) => value), pi: drawn.map(({ pi }) => pi) };
}

describe("a mean from samples that were included with known probabilities", () => {
  it("by Horvitz-Thompson is unbiased, and its standard error is that of the draws", () => {
    const { bias, covered, ratio } = over(DRAWS, truth, () => {
      const { values, pi } = included();
      return horvitzThompson(values, pi, population.length);
    });
    expect(Math.abs(bias)).toBeLessThan(4);
    expect(covered).toBeGreaterThan(0.93);
    expect(covered).toBeLessThan(0.97);
    expect(ratio).toBeCloseTo(1, 0.8);
  });

  it("by Hájek needs no size of the population, and varies less here", () => {
    const { covered, ratio } = over(DRAWS, truth, () => {
      const { values, pi } = included();
      return hajek(values, pi);
    });
    expect(covered).toBeGreaterThan(0.93);
    expect(covered).toBeLessThan(0.97);
    expect(ratio).toBeCloseTo(1, 0.8);
    const { values, pi } = included();
    expect(hajek(values, pi).standardError).toBeLessThan(
      horvitzThompson(values, pi, population.length).standardError,
    );
  });

  it("would be off without the probabilities, which the same check shows", () => {
    const { bias, covered } = over(200, truth, () => {
      const { values } = included();
      return hajek(
        values,
        values.map(() => 1e-6),
      );
    });
    expect(bias).toBeGreaterThan(20);
    expect(covered).toBeLessThan(0.1);
  });

  it("is the mean itself, without an error, if every member was included", () => {
    const values = [1, 2, 6];
    for (const found of [horvitzThompson(values, [1, 1, 1], 3), hajek(values, [1, 1, 1])]) {
      expect(found.mean).toBeCloseTo(3, 12);
      expect(found.standardError).toBe(0);
    }
  });
});

describe("a mean under p from samples of q", () => {
  // p = N(0.5, 1), q = N(0, 1.2²), and the mean of x² under p is 1.25.
  const draw = (): { values: number[]; logP: number[]; logQ: number[] } => {
    const x = Array.from({ length: 400 }, () => 1.2 * normal());
    return {
      values: x.map((each) => each * each),
      logP: x.map((each) => -((each - 0.5) ** 2) / 2 - Math.log(2 * Math.PI) / 2),
      logQ: x.map((each) => -((each / 1.2) ** 2) / 2 - Math.log(1.2) - Math.log(2 * Math.PI) / 2),
    };
  };

  it("by the densities themselves is unbiased, and its standard error is that of the draws", () => {
    const { bias, covered, ratio } = over(DRAWS, 1.25, () => {
      const { values, logP, logQ } = draw();
      return importanceMean(
        values,
        Float64Array.from(logP, (p, i) => Math.exp(p - (logQ[i] as number))),
      );
    });
    expect(Math.abs(bias)).toBeLessThan(4);
    expect(covered).toBeGreaterThan(0.92);
    expect(ratio).toBeCloseTo(1, 0.8);
  });

  it("normalised by its own weights needs no constants, and its error is that of the draws", () => {
    const { covered, ratio } = over(DRAWS, 1.25, () => {
      const { values, logP, logQ } = draw();
      return selfNormalised(
        values,
        relativeWeights(
          logP.map((p) => p + 300),
          logQ.map((q) => q - 900),
        ),
      );
    });
    expect(covered).toBeGreaterThan(0.92);
    expect(ratio).toBeCloseTo(1, 0.8);
  });

  it("has as many effective samples as its weights are worth", () => {
    expect(effectiveSize(shares(new Float64Array([2, 2, 2, 2])))).toBeCloseTo(4, 12);
    expect(effectiveSize(shares(new Float64Array([1, 0, 0])))).toBe(1);
  });
});
