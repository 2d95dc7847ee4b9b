import { type Calibration, calibrate, type PartlyExact } from "./calibration.js";
import { sum } from "./sum.js";

/** A figure of a whole batch, as a random subset of it lets it be estimated. */
export interface Estimate {
  readonly value: number;
  /** One standard error; 0 where the subset is the whole. */
  readonly error: number;
}

/** Completed batches that a figure is averaged over: they lie evenly over the factors, so that few do. */
const COMPLETIONS = 4;
/** Parts of the subset that are left out in turn for the standard error. */
const GROUPS_MAX = 20;
/** The golden ratio's fraction: its multiples modulo 1 lie evenly, however many of them (Kronecker's sequence). */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * Estimates figures of N gradient norms (their sum, an effective sample size) of which a random subset is known. A figure of
 * the estimates themselves would flatter: an estimate is a mean, and means vary less than what they are the means of.
 * So the batch is completed: the subset as it is, each other norm as its estimate times a factor that the subset
 * shows to be likely (Rubin 1987, "Multiple Imputation for Nonresponse in Surveys"; factors drawn in proportion to the
 * magnitudes that showed them, which makes the sum a ratio estimate). The figure is that of completed batches.
 *
 * The standard error is the jackknife's: groups of the subset are left out in turn and everything is done again
 * without them, times 1 − m/N, because a subset of everything is no sample (Cochran 1977, "Sampling Techniques").
 */
export interface Completer {
  /** @param figureOf reads (N) norms, a completed batch */
  estimate(figureOf: (norms: Float64Array) => number): Estimate;
  /** (N) One completed batch. */
  readonly example: Float64Array;
  readonly calibration: Calibration;
}

/** Null where `calibrate` is. */
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

/** The subset without each of its groups; it is in random order, so every nth sample is a random group. */
function leavingOut(known: PartlyExact): PartlyExact[] {
  const groups = Math.min(GROUPS_MAX, known.exactIndices.length);
  return Array.from({ length: groups }, (_, group) => {
    const stays = (_: number, s: number): boolean => s % groups !== group;
    return { ...known, exactIndices: known.exactIndices.filter(stays), exact: known.exact.filter(stays) };
  });
}

/**
 * The factor of each unknown norm is the quantile of its place along the estimates, so that samples of any size meet
 * factors of every size, and a subset with a group left out meets the same ones.
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

/** Index of the first of the ascending values above `limit`, which the last one is. */
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
