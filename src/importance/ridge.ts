/** A linear fit with an intercept and a penalty on its slopes. */
export interface RidgeFit {
  readonly slopes: Float64Array; // (P)
  readonly intercept: number;
  /** (n) Each target minus its prediction by the fit without that sample. */
  readonly residuals: Float64Array;
}

/** Penalties from almost none to very strong. Features are standardised, so these values suit any unit. */
const PENALTIES: readonly number[] = [1e-3, 1e-2, 0.1, 1, 10, 100, 1000];

/**
 * Ridge regression on standardised features. It takes the penalty with the least squared leave-one-out error. For a linear fit
 * this error needs no second fit: it is e_i / (1 − h_ii), with h the hat matrix (Allen 1974, "The Relationship between Variable
 * Selection and Data Augmentation and a Method for Prediction", Technometrics 16(1)).
 *
 * @param features (n, P) row-major, finite; a column without variation is ignored
 * @param targets (n), finite, n ≥ 2
 */
export function fitRidge(features: Float64Array, targets: Float64Array): RidgeFit {
  const count = targets.length;
  const width = features.length / count;
  if (count < 2 || !Number.isInteger(width)) {
    throw new RangeError(`${features.length} features do not fit ${count} targets`);
  }
  const { standard, means, deviations } = standardise(features, count, width);
  const centre = mean(targets);
  const centred = targets.map((target) => target - centre);
  const products = productsOf(standard, width);
  const fits = PENALTIES.map((penalty) => fitAt(penalty, products, standard, centred));
  const best = fits.reduce((a, b) => (b.squaredError < a.squaredError ? b : a));
  // Slopes in the features' own units, because a batch has many more samples to predict than to learn from.
  const slopes = best.slopes.map((slope, p) => {
    const deviation = deviations[p] as number;
    return deviation === 0 ? 0 : slope / deviation;
  });
  return { slopes, intercept: centre - dot(slopes, means), residuals: best.residuals };
}

interface PenalisedFit {
  readonly slopes: Float64Array; // (P), of standardised features
  readonly residuals: Float64Array; // (n)
  readonly squaredError: number;
}

/** Slopes (ZᵀZ + λI)⁻¹Zᵀt from the Cholesky factor, which also gives each sample's leverage 1/n + zᵀ(ZᵀZ + λI)⁻¹z. */
function fitAt(
  penalty: number,
  products: Float64Array,
  standard: Float64Array,
  centred: Float64Array,
): PenalisedFit {
  const width = Math.sqrt(products.length);
  const penalised = new Float64Array(products);
  for (let p = 0; p < width; p += 1) penalised[p * width + p] = (products[p * width + p] as number) + penalty;
  const factor = cholesky(penalised, width);
  const slopes = new Float64Array(width);
  for (const [i, target] of centred.entries()) {
    for (let p = 0; p < width; p += 1)
      slopes[p] = (slopes[p] as number) + (standard[i * width + p] as number) * target;
  }
  solveForward(factor, slopes);
  solveBackward(factor, slopes);
  const residuals = new Float64Array(centred.length);
  for (let i = 0; i < residuals.length; i += 1) {
    const row = standard.slice(i * width, (i + 1) * width);
    const residual = (centred[i] as number) - dot(row, slopes);
    solveForward(factor, row);
    residuals[i] = residual / (1 - 1 / residuals.length - dot(row, row));
  }
  return { slopes, residuals, squaredError: dot(residuals, residuals) };
}

/** (P, P) The lower triangle of ZᵀZ. */
function productsOf(standard: Float64Array, width: number): Float64Array {
  const products = new Float64Array(width * width);
  for (let row = 0; row < standard.length; row += width) {
    for (let p = 0; p < width; p += 1) {
      const x = standard[row + p] as number;
      for (let q = 0; q <= p; q += 1)
        products[p * width + q] = (products[p * width + q] as number) + x * (standard[row + q] as number);
    }
  }
  return products;
}

/** The lower factor L with LLᵀ = matrix. Only the lower triangle of the matrix is read. */
function cholesky(matrix: Float64Array, width: number): Float64Array {
  const lower = new Float64Array(matrix);
  const at = (p: number, q: number): number => lower[p * width + q] as number;
  for (let p = 0; p < width; p += 1) {
    for (let q = 0; q <= p; q += 1) {
      let rest = at(p, q);
      for (let k = 0; k < q; k += 1) rest -= at(p, k) * at(q, k);
      lower[p * width + q] = p === q ? Math.sqrt(rest) : rest / at(q, q);
    }
  }
  return lower;
}

/** Solves Lx = b and overwrites b with x. */
function solveForward(lower: Float64Array, b: Float64Array): void {
  const width = b.length;
  for (let p = 0; p < width; p += 1) {
    let rest = b[p] as number;
    for (let q = 0; q < p; q += 1) rest -= (lower[p * width + q] as number) * (b[q] as number);
    b[p] = rest / (lower[p * width + p] as number);
  }
}

/** Solves Lᵀx = b and overwrites b with x. */
function solveBackward(lower: Float64Array, b: Float64Array): void {
  const width = b.length;
  for (let p = width - 1; p >= 0; p -= 1) {
    let rest = b[p] as number;
    for (let q = p + 1; q < width; q += 1) rest -= (lower[q * width + p] as number) * (b[q] as number);
    b[p] = rest / (lower[p * width + p] as number);
  }
}

/** (n, P) features scaled to mean 0 and deviation 1, with both as they were. A constant column gets deviation 0 and zeros. */
function standardise(features: Float64Array, count: number, width: number) {
  const standard = new Float64Array(features.length);
  const means = new Float64Array(width);
  const deviations = new Float64Array(width);
  for (let p = 0; p < width; p += 1) {
    const column = Float64Array.from({ length: count }, (_, i) => features[i * width + p] as number);
    const centre = mean(column);
    const deviation = Math.sqrt(mean(column.map((x) => (x - centre) ** 2)));
    means[p] = centre;
    // The column is constant: what deviation remains is rounding.
    if (deviation <= 1e-12 * Math.abs(centre)) continue;
    deviations[p] = deviation;
    for (const [i, x] of column.entries()) standard[i * width + p] = (x - centre) / deviation;
  }
  return { standard, means, deviations };
}

function mean(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let index = 0; index < a.length; index += 1) total += (a[index] as number) * (b[index] as number);
  return total;
}
