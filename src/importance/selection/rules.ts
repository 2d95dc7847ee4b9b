import type { NumberRule } from "../weigh-options.js";
import type { SelectionName } from "./types.js";

/** The values of the options that only some methods read. */
export interface SelectionOptions {
  /** r: the share of the samples below the mean score that `infobatch` leaves out. */
  readonly prune: number;
  /** The epoch that `infobatch` selects for, from 0. Each epoch leaves out other samples. Null: no epoch. */
  readonly epoch: number | null;
  /** Number of epochs of the training, above `epoch`. Null: no epoch is the last. */
  readonly epochs: number | null;
  /** Exponent of the score in diversity × score^strength. 0: the scores are not read. */
  readonly strength: number;
  /** The share of the candidates that `k_center` leaves out as outliers. */
  readonly outliers: number;
  /** `active` selects for diversity among the samples with the largest scores. */
  readonly diverse: boolean;
}

export const SELECTION_DEFAULTS: SelectionOptions = {
  prune: 0.5,
  epoch: null,
  epochs: null,
  strength: 0,
  outliers: 0.01,
  diverse: false,
};

/** The options that are numbers, with bounds and meaning for the API and the command line. */
export const SELECTION_NUMBERS = {
  prune: {
    default: SELECTION_DEFAULTS.prune,
    atLeast: 0,
    atMost: 0.99,
    meaning: "Share of the samples below the mean score that `infobatch` leaves out",
    placeholder: "share",
  },
  epoch: {
    default: SELECTION_DEFAULTS.epoch,
    atLeast: 0,
    whole: true,
    meaning: "The epoch that `infobatch` selects for, from 0. Each epoch leaves out other samples",
    placeholder: "number",
  },
  epochs: {
    default: SELECTION_DEFAULTS.epochs,
    atLeast: 1,
    whole: true,
    meaning: "Number of epochs. In the last eighth of them, rounded up, `infobatch` takes every sample",
    placeholder: "number",
  },
  strength: {
    default: SELECTION_DEFAULTS.strength,
    atLeast: 0,
    requestAtMost: 100,
    meaning: "Exponent of the score in diversity × score^strength. 0: only diversity counts",
    placeholder: "number",
  },
  outliers: {
    default: SELECTION_DEFAULTS.outliers,
    atLeast: 0,
    atMost: 0.5,
    meaning: "Share of the candidates that `k_center` leaves out as outliers, before it selects",
    placeholder: "share",
  },
} as const satisfies Readonly<Record<string, NumberRule>>;

/** The largest size. Largest-remainder allocation multiplies it by a number of samples, exactly up to 2^53. */
export const SIZE_MAX = 100_000_000;

export interface SelectionRule {
  /** The options that the method reads. */
  readonly options: readonly (keyof SelectionOptions)[];
  /** How the number of samples is given. `none`: the scores decide it. `draws` may exceed the number of samples. */
  readonly size: "samples" | "draws" | "none";
  /** Whether scores are needed, and which: with `strength`, only if `strength` is above 0, and then non-negative ones. */
  readonly scores: "any" | "non_negative" | "with_strength";
  /** Whether embeddings are needed: with `diverse`, only if `diverse` is set. */
  readonly embeddings: "never" | "always" | "with_diverse";
  /** The method returns probabilities and multipliers, and so estimates means without bias. */
  readonly multipliers: boolean;
  /** The result depends on the seed. The geometric methods read it for projections, reference points and buckets. */
  readonly seeded: boolean;
  /** The scores should be a signal that reads no label, and the labelled samples should be excluded. The caller checks both. */
  readonly unlabelled: boolean;
}

const PLAIN = {
  options: [],
  size: "samples",
  scores: "any",
  embeddings: "never",
  multipliers: false,
  seeded: false,
  unlabelled: false,
} as const satisfies SelectionRule;
const RANDOM = { ...PLAIN, multipliers: true, seeded: true } as const;
const GEOMETRIC = { ...PLAIN, scores: "with_strength", embeddings: "always", seeded: true } as const;

/**
 * The methods. Sampling without replacement by 1/(N p) is not one of them: after the first draw p is no longer the chance that a
 * sample is drawn, so these multipliers are biased.
 */
export const SELECTION_RULES: Readonly<Record<SelectionName, SelectionRule>> = {
  top: PLAIN,
  bottom: PLAIN,
  sample: { ...RANDOM, size: "draws", scores: "non_negative" },
  poisson: { ...RANDOM, scores: "non_negative" },
  infobatch: { ...RANDOM, size: "none", options: ["prune", "epoch", "epochs"] },
  k_center: { ...GEOMETRIC, options: ["strength", "outliers"] },
  facility_location: { ...GEOMETRIC, options: ["strength"] },
  active: {
    ...GEOMETRIC,
    scores: "any",
    embeddings: "with_diverse",
    options: ["diverse", "strength"],
    unlabelled: true,
  },
};
