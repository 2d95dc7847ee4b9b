import type { SelectionOptions } from "./rules.js";

/** The ways to select samples. */
export const SELECTIONS = [
  "top",
  "bottom",
  "sample",
  "poisson",
  "infobatch",
  "k_center",
  "facility_location",
  "active",
] as const;
export type SelectionName = (typeof SELECTIONS)[number];

/** A whole number from 0 to 2^53 − 1, or a text. The number 7 and the text "7" are the same seed. */
export type Seed = number | string;

/** What to select. `SELECTION_RULES` says what each method reads; `SELECTION_DEFAULTS` holds the options that are not set. */
export interface SelectionRequest extends SelectionOptions {
  readonly method: SelectionName;
  /** Number of samples, or of draws with `sample`. Null with quotas and with `infobatch`. */
  readonly size: number | null;
  /** (S) The size of each stratum. Null: sizes in proportion to the strata, by largest remainder. */
  readonly quotas: readonly number[] | null;
  readonly seed: Seed;
}

/** (N, D) row-major, finite. Row n is the values of row n, times its scale if there are scales. */
export interface Embeddings {
  readonly values: Float32Array | Int8Array;
  /** (N) Absent: all 1. */
  readonly scales?: Float32Array;
  /** D ≥ 1. */
  readonly width: number;
}

/** A partition of the samples, by class, group or source. */
export interface Strata {
  /** (N) Below `count`. */
  readonly of: Uint32Array;
  /** S ≥ 1. Strata may be empty. */
  readonly count: number;
}

/** What is known about N samples. Samples are in an order that depends on the dataset alone, not on the store. */
export interface SelectionColumns {
  /** N ≥ 1. */
  readonly count: number;
  /** (N) A signal or weights; read only if the sample is not excluded. */
  readonly scores: Float64Array | null;
  readonly embeddings: Embeddings | null;
  /** Null: one stratum. */
  readonly strata: Strata | null;
  /** (N) 1: the sample is not a candidate. Null: every sample is one. */
  readonly excluded: Uint8Array | null;
}

/**
 * The n samples selected, stratum by stratum. Within a stratum, `top`, `bottom` and `active` give the best first, `k_center` and
 * `facility_location` the order in which they were chosen, and the other methods the ascending index.
 */
export interface Selection {
  /** (n) Each index once. */
  readonly indices: Uint32Array;
  /** Null if the method gives no multipliers. */
  readonly estimator: Estimator | null;
  /** Number of candidates: the samples that are not excluded. */
  readonly candidates: number;
  /** (S) What each stratum was to give: samples, draws, or expected samples. With `infobatch`, the samples kept. */
  readonly sizes: Float64Array;
  /** Number of candidates that were left out as outliers; 0 unless the method is `k_center`. */
  readonly outliers: number;
}

/**
 * How the selection estimates the mean of a metric x over all N candidates: Σ_i counts_i · multipliers_i · x_i / divisor, over
 * the selected samples i. The estimate is unbiased if `neverDrawn` is 0, or if x is 0 for those candidates.
 */
export interface Estimator {
  /** (n) How often each sample was drawn. All 1 except with `sample`. */
  readonly counts: Uint32Array;
  /** (n) `sample`: the chance that one draw takes the sample. `poisson` and `infobatch`: the chance that it is selected. */
  readonly probabilities: Float64Array;
  /** (n) What a trainer multiplies the sample's loss by, in each of its `counts` uses. */
  readonly multipliers: Float64Array;
  /** What replaces the number of samples in a mean: draws, the expected size (not the realised one), or N with `infobatch`. */
  readonly divisor: number;
  /** Number of candidates that had no chance: a weight of 0, or a quota of 0. */
  readonly neverDrawn: number;
}

/**
 * Work in steps. Each step yields the fraction done, from 0 to 1. To cancel, ask for no further step. A step of a geometric
 * method takes some hundredths of a second, and the passes over all embeddings at its start about 1 s at 100,000 samples. Steps of the
 * other methods take as long at most, and passes over a stratum of a million samples, with a sort, some tenths of a second.
 */
export type Steps<Result> = Generator<number, Result, undefined>;

/** The result of all steps. */
export function completed<Result>(steps: Steps<Result>): Result {
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** The same steps as a part of longer work: fraction 0 becomes `from`, and 1 becomes `to`. */
export function* within<Result>(from: number, to: number, steps: Steps<Result>): Steps<Result> {
  let step = steps.next();
  while (step.done !== true) {
    yield from + (to - from) * step.value;
    step = steps.next();
  }
  return step.value;
}
