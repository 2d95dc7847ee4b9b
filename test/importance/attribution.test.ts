import { describe, expect, it } from "vitest";
import {
  gaussLegendre,
  integratedGradients,
  integratedLossGradients,
} from "../../src/importance/attribution.js";

const sumOf = (values: Iterable<number>): number => [...values].reduce((sum, value) => sum + value, 0);

describe("The Gauss-Legendre rule", () => {
  it("has numpy's points and weights (numpy.polynomial.legendre.leggauss(8), moved to [0, 1])", () => {
    const { points, weights } = gaussLegendre(8);
    for (const [i, point] of [0.01985507, 0.10166676, 0.2372338].entries())
      expect(points[i]).toBeCloseTo(point, 8);
    for (const [i, weight] of [0.05061427, 0.11119052, 0.15685332].entries())
      expect(weights[i]).toBeCloseTo(weight, 8);
  });

  it.each([1, 2, 3, 16, 255, 400])(
    "of %d points is exact for a polynomial of degree 2n - 1, and not above",
    (n) => {
      const { points, weights } = gaussLegendre(n);
      const mean = (degree: number): number =>
        sumOf(points.map((x, i) => (weights[i] as number) * x ** degree));
      for (const degree of [0, 1, 2 * n - 1]) expect(mean(degree)).toBeCloseTo(1 / (degree + 1), 13);
      if (n <= 3) expect(Math.abs(mean(2 * n) - 1 / (2 * n + 1))).toBeGreaterThan(1e-4);
    },
  );
});

describe("Integrated gradients", () => {
  // z_0 = x², z_1 = x·y along (x, y) = α(2, 3), so each token's (e − e0)·∂z/∂e is known at each α.
  const { points, weights } = gaussLegendre(4);
  const attributions = Float32Array.from([...points].flatMap((a) => [8 * a, 0, 6 * a, 6 * a]));
  const way = { weights, attributions, classes: 2, tokens: 2 };

  it("of each logit and token sum to the logit's change", () => {
    const found = integratedGradients(way);
    for (const [i, expected] of [4, 0, 3, 3].entries()) expect(found[i]).toBeCloseTo(expected, 6);
  });

  it("of a loss follow the chain rule at each point", () => {
    // ℓ = z_0² + z_1, so that ∂ℓ/∂z = (2 z_0, 1) with z_0 = 4α²: ∫ 8α²·8α dα = 16, and z_1's share is 3 for each token.
    const residuals = [...points].map((a) => [8 * a * a, 1]);
    const found = integratedLossGradients(way, residuals);
    expect(found[0]).toBeCloseTo(16 + 3, 5);
    expect(found[1]).toBeCloseTo(3, 5);
  });
});
