/**
 * One sample's label as the mathematics takes it: a number for one logit (0/1 or soft for `bce`, real for `mse`),
 * a class index or K probabilities for several, null where the sample has none.
 */
export type Label = number | readonly number[] | null;

/** Pointwise losses; `pairwise` and `listwise` read a group and come with it. */
export const POINTWISE_LOSSES = ["bce", "cross_entropy", "mse"] as const;
export type LossName = (typeof POINTWISE_LOSSES)[number];

/** Signals that the forward graph alone allows. */
export const SIGNALS = [
  "loss",
  "probability",
  "margin",
  "entropy",
  "confidence",
  "el2n",
  "grad_norm_last",
] as const;
export type SignalName = (typeof SIGNALS)[number];

/** What the model said of N texts, without their labels. */
export interface LogitBatch {
  /** (N, K) row-major. */
  readonly logits: Float32Array | Float64Array;
  /** (N) ‖h‖² of the last layer's input. */
  readonly featureNormsSquared: Float32Array | Float64Array;
  /** K ≥ 1. */
  readonly classes: number;
}
