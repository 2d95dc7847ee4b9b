/**
 * One sample's label as the mathematics takes it. For one logit it is a number: 0/1 or soft for `bce`, real for `mse` and
 * `pairwise`, a grade of at least 0 for `listwise`. For several logits it is a class index or K probabilities. Null: the sample
 * has no label.
 */
export type Label = number | readonly number[] | null;

/** Losses of one sample. */
export const POINTWISE_LOSSES = ["bce", "cross_entropy", "mse"] as const;
/** Losses that compare the samples of one query, their `group`. Only for models with one logit. */
export const GROUP_LOSSES = ["pairwise", "listwise"] as const;
export const LOSSES = [...POINTWISE_LOSSES, ...GROUP_LOSSES] as const;
export type GroupLossName = (typeof GROUP_LOSSES)[number];
export type LossName = (typeof LOSSES)[number];

/** Whether the loss compares the samples of a group. */
export function isGroupLoss(loss: LossName): loss is GroupLossName {
  return GROUP_LOSSES.some((name) => name === loss);
}

/** The signals that one batch can have. */
export const BATCH_SIGNALS = [
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
/** The signals over the checkpoints that scored a sample. Only a dataset has them. */
export const HISTORY_SIGNAL_NAMES = ["mean_confidence", "variability", "aum", "forgetting"] as const;
/** The names of all signals. */
export const SIGNALS = [...BATCH_SIGNALS, ...HISTORY_SIGNAL_NAMES] as const;
export type SignalName = (typeof SIGNALS)[number];

/** (N) One signal of a batch; null for a sample that lacks the label that `labelNeed` names. Never NaN. */
export type SignalColumn = readonly (number | null)[];

/** Signals of N samples, one column each. */
export type SignalColumns = ReadonlyMap<SignalName, SignalColumn>;

/**
 * The matrices that a batch may have in addition to logits and ‖h‖², each with its number of entries for a sample of K logits.
 * `gram` (K, K) is Γ = ⟨∇z_k, ∇z_l⟩ over the parameters of the gradient scope; for one logit it is ‖∇z‖². `tangent` (K) is ⟨∇z_k, v⟩ along a
 * direction v.
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

/** The model's outputs for N texts, without their labels. A matrix (N, …) is absent if no graph gave it. */
export interface LogitBatch extends Readonly<Partial<Record<BatchMatrix, Float32Array | Float64Array>>> {
  /** (N, K) row-major. */
  readonly logits: Float32Array | Float64Array;
  /** (N) ‖h‖² of the last layer's input. */
  readonly featureNormsSquared: Float32Array | Float64Array;
  /** K ≥ 1. */
  readonly classes: number;
}

/** The ways to make weights from scores. */
export const SCHEMES = ["proportional", "softmax", "rank", "inverse", "uniform", "unit_gradient"] as const;
export type SchemeName = (typeof SCHEMES)[number];
