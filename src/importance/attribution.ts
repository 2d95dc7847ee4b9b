/**
 * Points and weights of the Gauss–Legendre rule for the mean of a function over [0, 1]: exact for polynomials of degree 2n − 1.
 * The points are the roots of the Legendre polynomial P_n, found by Newton's method from Tricomi's estimate; the weights are
 * 1/((1 − x²) P_n′(x)²) (Abramowitz & Stegun 1964, 25.4.30, halved for the interval of length 1).
 *
 * @param count n ≥ 1
 */
export function gaussLegendre(count: number): { points: Float64Array; weights: Float64Array } {
  const points = new Float64Array(count);
  const weights = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (count + 0.5));
    let slope = 1;
    for (let step = 0; step < NEWTON_STEPS_MAX; step++) {
      const [value, derivative] = legendre(count, x);
      slope = derivative;
      const change = value / derivative;
      x -= change;
      if (Math.abs(change) < 1e-15) break;
    }
    // From the largest root to the smallest, so this fills from the end.
    points[count - 1 - i] = (1 + x) / 2;
    weights[count - 1 - i] = 1 / ((1 - x * x) * slope * slope);
  }
  return { points, weights };
}

/** Newton's method doubles the digits in each step; three suffice from Tricomi's estimate. */
const NEWTON_STEPS_MAX = 10;

/** P_n(x) and its derivative, by Bonnet's recursion. */
function legendre(n: number, x: number): [value: number, derivative: number] {
  let [before, value] = [1, x];
  for (let k = 2; k <= n; k++) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k];
  return [value, (n * (before - x * value)) / (1 - x * x)];
}

/** Gradients of one text along the straight way from the baseline e0 to the text e, at P points e0 + α(e − e0). */
export interface Way {
  /** (P) weights of the points, which sum to 1. */
  readonly weights: ArrayLike<number>;
  /** (P, K, T) Σ_d (e − e0)·∂z/∂e of each logit and token. */
  readonly attributions: Float32Array;
  readonly classes: number;
  readonly tokens: number;
}

/**
 * Integrated gradients (Sundararajan et al. 2017): ∫ Σ_d (e − e0)·∂z_k/∂e dα for each logit and token. Summed over the tokens
 * it is z_k(text) − z_k(baseline), as far as the points suffice.
 *
 * @returns (K, T)
 */
export function integratedGradients({ weights, attributions, classes, tokens }: Way): Float64Array {
  const size = classes * tokens;
  const mean = new Float64Array(size);
  for (let p = 0; p < weights.length; p++) {
    const weight = weights[p] as number;
    for (let i = 0; i < size; i++)
      mean[i] = (mean[i] as number) + weight * (attributions[p * size + i] as number);
  }
  return mean;
}

/**
 * The same for a loss: ∫ Σ_k ∂ℓ/∂z_k · Σ_d (e − e0)·∂z_k/∂e dα for each token, by the chain rule at each point. Summed over the
 * tokens it is ℓ(text) − ℓ(baseline).
 *
 * @param residuals (P, K) ∂ℓ/∂z at the points
 * @returns (T)
 */
export function integratedLossGradients(
  { weights, attributions, classes, tokens }: Way,
  residuals: readonly (readonly number[])[],
): Float64Array {
  const mean = new Float64Array(tokens);
  for (let p = 0; p < weights.length; p++) {
    for (let k = 0; k < classes; k++) {
      const factor = (weights[p] as number) * (residuals[p]?.[k] as number);
      const from = (p * classes + k) * tokens;
      for (let t = 0; t < tokens; t++)
        mean[t] = (mean[t] as number) + factor * (attributions[from + t] as number);
    }
  }
  return mean;
}
