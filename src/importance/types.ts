/**
 * One sample's label as the mathematics takes it: a number for one logit (0/1 or soft for `bce`, real for `mse` and
 * `pairwise`, a grade of at least 0 for `listwise`), a class index or K probabilities for several, null where the sample has
 * none.
 */
export type Label = number | readonly number[] | null;

/** Losses of one sample. */
export const POINTWISE_LOSSES = ["bce", "cross_entropy", "mse"] as const;
/** Losses of the samples of one query, which come with their `group`; for one logit. */
export const GROUP_LOSSES = ["pairwise", "listwise"] as const;
export const LOSSES = [...POINTWISE_LOSSES, ...GROUP_LOSSES] as const;
export type GroupLossName = (typeof GROUP_LOSSES)[number];
export type LossName = (typeof LOSSES)[number];

/** The loss compares the samples of a group. */
export function isGroupLoss(loss: LossName): loss is GroupLossName {
  return GROUP_LOSSES.some((name) => name === loss);
}

/** Signals of one checkpoint. */
export const SIGNALS = [
  "loss",
  "probability",
  "margin",
  "entropy",
  "confidence",
  "el2n",
  "grad_norm_last",
  "grad_norm",
  "sensitivity",
  "expected_grad_norm",
  "influence",
  "alignment",
  "tangent",
  "rho",
  "learned",
] as const;
export type SignalName = (typeof SIGNALS)[number];

/** (N) One signal of a batch: null where the sample's label is not the one that `labelNeed` names. Never NaN. */
export type SignalColumn = readonly (number | null)[];

/** Signals of N samples, one column each. */
export type SignalColumns = ReadonlyMap<SignalName, SignalColumn>;

/**
 * What a batch may have beside logits and ‖h‖², with the entries of a sample of K logits: `gram` (K, K) Γ = ⟨∇z_k, ∇z_l⟩ over all
 * parameters, for one logit ‖∇z‖²; `tangent` (K) ⟨∇z_k, v⟩ along a direction v.
 */
export const MATRIX_ENTRIES = {
  gram: (classes: number) => classes * classes,
  tangent: (classes: number) => classes,
} as const;
export type BatchMatrix = keyof typeof MATRIX_ENTRIES;
export const BATCH_MATRICES = Object.keys(MATRIX_ENTRIES) as readonly BatchMatrix[];

/** One sample's row of each matrix. */
export type MatrixRows = Readonly<Record<BatchMatrix, ArrayLike<number>>>;
export const NO_ROWS: MatrixRows = { gram: [], tangent: [] };

/** What the model said of N texts, without their labels. A matrix (N, …) is absent where no graph gave it. */
export interface LogitBatch extends Readonly<Partial<Record<BatchMatrix, Float32Array | Float64Array>>> {
  /** (N, K) row-major. */
  readonly logits: Float32Array | Float64Array;
  /** (N) ‖h‖² of the last layer's input. */
  readonly featureNormsSquared: Float32Array | Float64Array;
  /** K ≥ 1. */
  readonly classes: number;
}
