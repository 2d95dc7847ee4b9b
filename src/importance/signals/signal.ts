import type { Distribution } from "../distribution.js";
import type { LossAtLogits } from "../losses.js";
import { type BatchMatrix, type Label, LOSSES, type LossName, type MatrixRows } from "../types.js";

/** The label that a signal needs: none, any, or a hard one (0 or 1, or a class index). */
export type LabelNeed = "none" | "any" | "hard";

/**
 * What a signal reads in addition to the logits and ‖h‖: a matrix, a reference loss, the folder's learned model, or the logits that a
 * dataset keeps by checkpoint.
 */
export type Reading = BatchMatrix | "reference" | "learned" | "history";

/** One signal: what it needs of labels, losses and the model, and its formula. */
export interface Signal {
  /** The label that the signal needs if the model has one logit. */
  readonly labelOfOneLogit: LabelNeed;
  /** The label that the signal needs if the model has several logits. */
  readonly labelOfManyLogits: LabelNeed;
  /** Never below 0, as the schemes `proportional` and `inverse` require. */
  readonly nonNegative: boolean;
  /** Losses under which the signal has a meaning. */
  readonly losses: readonly LossName[];
  /** Empty if the forward graph alone gives the signal. */
  readonly reads: readonly Reading[];
  /** It returns null if the sample lacks the label that the signal needs. A signal without a formula is computed elsewhere. */
  readonly formula: ((figures: Figures) => number | null) | null;
}

/** What the formulas read about one sample. */
export interface Figures {
  /** (K) */
  readonly logits: ArrayLike<number>;
  readonly featureNormSquared: number;
  readonly label: Label;
  /** Null if no requested signal reads it, as under `mse`, because its logits give no probabilities. */
  readonly distribution: Distribution | null;
  /** (C) The label as a distribution; null if `distribution` is null or the sample has no label. */
  readonly target: readonly number[] | null;
  /** Null without a label. */
  readonly atLogits: LossAtLogits | null;
  /** The sample's row of each matrix, with as many entries as `MATRIX_ENTRIES` says; empty if the batch lacks the matrix. */
  readonly rows: MatrixRows;
  readonly directionNorm: number;
  readonly referenceLoss: number | null;
}

/** The losses under which logits give probabilities. */
export const OF_PROBABILITIES: readonly LossName[] = ["bce", "cross_entropy"];

export const OF_ANY_LABEL = { labelOfOneLogit: "any", labelOfManyLogits: "any" } as const;
export const OF_NO_LABEL = { labelOfOneLogit: "none", labelOfManyLogits: "none" } as const;
/** With several logits, the signal is that of the hard label's class. */
export const OF_ONE_CLASS = { labelOfOneLogit: "none", labelOfManyLogits: "hard" } as const;
export const NON_NEGATIVE = { nonNegative: true, losses: LOSSES, reads: [] } as const;
export const SIGNED = { nonNegative: false, losses: LOSSES, reads: [] } as const;

/** ‖r‖ of (K) r = ∂ℓ/∂z. */
export function normOf(gradient: readonly number[]): number {
  return gradient.length === 1 ? Math.abs(gradient[0] as number) : Math.hypot(...gradient);
}
