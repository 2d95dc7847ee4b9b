import { type Calibration, calibrate, type PartlyExact } from "./calibration.js";
import { sum } from "./sum.js";

/** A figure of a whole batch, estimated from a random subset of it. */
export interface Estimate {
  readonly value: number;
  /** One standard error; 0 if the subset is the whole batch. */
  readonly error: number;
}

/** Number of completed batches over which a figure is averaged. A few suffice, because they cover the factors evenly. */
const COMPLETIONS = 4;
/** Most groups of the subset that are left out in turn for the standard error. */
const GROUPS_MAX = 20;
/** The fractional part of the golden ratio. Any number of its multiples, modulo 1, are evenly spread (Kronecker's sequence). */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * Estimates figures of N gradient norms (their sum, an effective sample size) of which a random subset is known. Figures computed
 * directly from the estimates would look too good: an estimate is a mean, and means vary less than single values. So the
 * batch is completed: the known norms stay as they are, and every other norm is its estimate times a factor that is
 * likely according to the subset (Rubin 1987, "Multiple Imputation for Nonresponse in Surveys"). Factors are drawn in proportion
 * to the magnitudes of their samples, which makes the sum a ratio estimate. The figure is the mean over completed batches.
 *
 * The standard error is the jackknife's: groups of the subset are left out in turn, and everything is computed again without
 * them. It has the finite population correction 1 − m/N, because a subset that is the whole batch has no sampling error
 * (Cochran 1977, "Sampling Techniques").
 */
export interface Completer {
  /** @param figureOf reads (N) norms, a completed batch */
  estimate(figureOf: (norms: Float64Array) => number): Estimate;
  /** (N) One completed batch. */
  readonly example: Float64Array;
  readonly calibration: Calibration;
}

/** Null if `calibrate` returns null. */
export function completerOf(known: PartlyExact): Completer | null {
  const calibration = calibrate(known);
  if (calibration === null) return null;
  const order = Uint32Array.from(calibration.estimates.keys()).sort(
    (a, b) => (calibration.estimates[a] as number) - (calibration.estimates[b] as number),
  );
  const replicates = leavingOut(known).flatMap((part) => {
    const recalibrated = calibrate(part);
    return recalibrated === null ? [] : [completed(part, recalibrated, order, 0)];
  });
  const batches = Array.from({ length: COMPLETIONS }, (_, c) =>
    completed(known, calibration, order, c / COMPLETIONS),
  );
  const unknownFraction = 1 - known.exactIndices.length / known.proxies.length;
  return {
    calibration,
    example: batches[0] as Float64Array,
    estimate: (figureOf) => {
      const value = mean(batches.map(figureOf));
      if (unknownFraction === 0) return { value, error: 0 };
      const others = replicates.map(figureOf);
      const centre = mean(others);
      const groups = others.length;
      const spread = others.reduce((total, figure) => total + (figure - centre) ** 2, 0);
      return { value, error: Math.sqrt(unknownFraction * ((groups - 1) / groups) * spread) };
    },
  };
}

/** The subset without each of its groups in turn. The subset is in random order, so every nth sample makes a random group. */
function leavingOut(known: PartlyExact): PartlyExact[] {
  const groups = Math.min(GROUPS_MAX, known.exactIndices.length);
  return Array.from({ length: groups }, (_, group) => {
    const stays = (_: number, s: number): boolean => s % groups !== group;
    return { ...known, exactIndices: known.exactIndices.filter(stays), exact: known.exact.filter(stays) };
  });
}

/**
 * One completed batch. The factor of an unknown norm is a quantile, which its rank among the estimates chooses. So large and
 * small norms get large and small factors alike, and a subset with a group left out uses the same quantiles.
 */
function completed(
  { exactIndices, exact }: PartlyExact,
  { estimates, factors }: Calibration,
  order: Uint32Array,
  offset: number,
): Float64Array {
  const norms = new Float64Array(estimates.length);
  for (const [place, index] of order.entries()) {
    const quantile = (offset + place * GOLDEN) % 1;
    const factor = factors.values[firstAbove(factors.cumulative, quantile)] as number;
    norms[index] = (estimates[index] as number) * factor;
  }
  for (const [s, index] of exactIndices.entries()) norms[index] = exact[s] as number;
  return norms;
}

/** Index of the first of the ascending values that is above `limit`. The last value must be above it. */
function firstAbove(ascending: Float64Array, limit: number): number {
  let [low, high] = [0, ascending.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] as number) > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

function mean(values: readonly number[]): number {
  return sum(Float64Array.from(values)) / values.length;
}
