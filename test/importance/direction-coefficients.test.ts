import { expect, it } from "vitest";
import { directionCoefficients } from "../../src/importance/direction-coefficients.js";

const batch = (logits: number[], gram: number[], classes: number) => ({
  logits: Float64Array.from(logits),
  featureNormsSquared: new Float64Array(logits.length / classes),
  gram: Float64Array.from(gram),
  classes,
});

it("gives a unit gradient to samples of any size, and none where there is no gradient", () => {
  // A saturated sample, one whose r is 0 in float64, and one whose text moves no logit.
  const { coefficients, zeroGradients } = directionCoefficients(
    "mean_direction",
    batch([80, 800, 1], [4, 9, 0], 1),
    [1, 1, 1],
    "bce",
    [],
  );
  expect([...coefficients]).toEqual([-0.5, 0, 0]);
  expect(zeroGradients).toBe(2);
});

it("counts a gradient of 0 though r is none: classes that move as one", () => {
  const alike = [2, 2, 2, 2];
  const { coefficients, zeroGradients } = directionCoefficients(
    "mean_direction",
    batch([0.5, -1], alike, 2),
    [0],
    "cross_entropy",
    [],
  );
  expect([...coefficients]).toEqual([0, 0]);
  expect(zeroGradients).toBe(1);
});

it("is r itself for a loss gradient, which needs no gram", () => {
  const { gram: _, ...forward } = batch([0, 0], [], 2);
  const { coefficients } = directionCoefficients(
    "loss_gradient",
    forward,
    [[0.25, 0.75]],
    "cross_entropy",
    [],
  );
  expect([...coefficients]).toEqual([0.25, -0.25]);
  expect(() => directionCoefficients("mean_direction", forward, [0], "cross_entropy", [])).toThrow(
    RangeError,
  );
  expect(() => directionCoefficients("loss_gradient", forward, [null], "cross_entropy", [])).toThrow(
    RangeError,
  );
});
