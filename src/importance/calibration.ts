import { fitRidge } from "./ridge.js";
import type { LogitBatch } from "./types.js";

/** What is known about N gradient norms before the calibration: a proxy of each, and some exact norms. */
export interface PartlyExact {
  /** (N) `grad_norm_last`. */
  readonly proxies: Float64Array;
  /** (N, P) The result of `featuresOf`. */
  readonly features: Float64Array;
  /** (m) Indices of a simple random sample of the N, in random order. */
  readonly exactIndices: Uint32Array;
  /** (m) `grad_norm` of the subset. */
  readonly exact: Float64Array;
}

/** Gradient norms of N samples, estimated from the exact ones. */
export interface Calibration {
  /** (N) E[‖∇ℓ‖ | proxies], including the samples of the subset. */
  readonly estimates: Float64Array;
  /** One standard error of an estimate, as a fraction of the estimate. */
  readonly relativeError: number;
  readonly factors: Factors;
}

/**
 * The distribution of a true norm divided by its estimate: the quotients in the subset, each from a fit that has not seen the
 * quotient's sample. A quotient's probability is proportional to its sample's prediction.
 */
export interface Factors {
  /** (n) Ascending. Their mean under these probabilities is 1. */
  readonly values: Float64Array;
  /** (n) Sum of the probabilities up to and including each value; the last is 1. */
  readonly cumulative: Float64Array;
}

/** The fewest usable samples in a subset that allow a calibration. */
export const USABLE_MIN = 5;

/**
 * Calibrates a proxy on a random subset. Ridge regression predicts ln(‖∇ℓ‖ / proxy) from the features of a forward pass
 * (`featuresOf`). A prediction is kept inside the range that occurs in the subset, because a line extrapolates badly. The
 * exponential of the prediction is a median. The factor Σ exact / Σ predictions over the subset turns it into a mean, with each
 * prediction from the fit without its sample (the smearing estimate of Duan 1983, JASA 78(383), weighted by magnitude). So the
 * sum of the estimates is the ratio estimate of the true sum (Cochran 1977, "Sampling Techniques", chapter 6).
 *
 * A proxy of 0 means ‖r‖ = 0, and so a norm of 0. Null if fewer than `USABLE_MIN` samples of the subset have a proxy and a norm
 * above 0.
 */
export function calibrate({ proxies, features, exactIndices, exact }: PartlyExact): Calibration | null {
  const usable = [...exactIndices.keys()].filter(
    (s) => (exact[s] as number) > 0 && (proxies[exactIndices[s] as number] as number) > 0,
  );
  if (usable.length < USABLE_MIN) return null;
  const width = features.length / proxies.length;
  const learned = new Float64Array(usable.length * width);
  const norms = new Float64Array(usable.length);
  const ratios = norms.map((_, u) => {
    const s = usable[u] as number;
    const index = exactIndices[s] as number;
    learned.set(features.subarray(index * width, (index + 1) * width), u * width);
    norms[u] = exact[s] as number;
    return Math.log((exact[s] as number) / (proxies[index] as number));
  });
  const { slopes, intercept, residuals } = fitRidge(learned, ratios);
  const [least, most] = [ratios.reduce((a, b) => Math.min(a, b)), ratios.reduce((a, b) => Math.max(a, b))];
  const inRange = (ratio: number): number => Math.min(most, Math.max(least, ratio));

  const quotients = ratios.map((ratio, u) => Math.exp(ratio - inRange(ratio - (residuals[u] as number))));
  const predictions = norms.map((norm, u) => norm / (quotients[u] as number));
  const smear = total(norms) / total(predictions);
  const factors = quotients.map((quotient) => quotient / smear);
  const estimates = proxies.map((proxy, index) => {
    if (proxy === 0) return 0;
    let ratio = intercept;
    for (let p = 0; p < width; p += 1)
      ratio += (slopes[p] as number) * (features[index * width + p] as number);
    return smear * proxy * Math.exp(inRange(ratio));
  });
  return {
    estimates,
    relativeError: Math.sqrt(total(factors.map((factor) => (factor - 1) ** 2)) / factors.length),
    factors: drawnBy(factors, predictions),
  };
}

/**
 * (N, 2K + 2) Features from a forward pass that help to predict ‖∇ℓ‖ / proxy: each logit and its square (the size of the
 * gradients depends on how sure the model is), ln(‖h‖² + 1), and the logarithm of the proxy (0 for a proxy of 0, which needs no
 * prediction).
 */
export function featuresOf(
  { logits, featureNormsSquared, classes }: LogitBatch,
  proxies: Float64Array,
): Float64Array {
  const width = 2 * classes + 2;
  const features = new Float64Array(proxies.length * width);
  for (const [index, proxy] of proxies.entries()) {
    let at = index * width;
    for (const logit of logits.subarray(index * classes, (index + 1) * classes)) {
      features[at++] = logit;
      features[at++] = logit * logit;
    }
    features[at++] = Math.log1p(featureNormsSquared[index] as number);
    features[at] = proxy === 0 ? 0 : Math.log(proxy);
  }
  return features;
}

function drawnBy(values: Float64Array, chances: Float64Array): Factors {
  const order = Array.from(values.keys()).sort((a, b) => (values[a] as number) - (values[b] as number));
  const sum = total(chances);
  let reached = 0;
  const cumulative = Float64Array.from(order, (index) => {
    reached += (chances[index] as number) / sum;
    return reached;
  });
  cumulative[cumulative.length - 1] = 1;
  return { values: Float64Array.from(order, (index) => values[index] as number), cumulative };
}

function total(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0);
}
