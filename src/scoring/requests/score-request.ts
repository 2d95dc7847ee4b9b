import type { LossName, SignalName } from "../../importance/types.js";
import type { Precision } from "../../ranker/port.js";
import type { TrainingCheckpoint } from "../../store/dataset-records.js";
import type { Sample } from "./sample.js";
import type { WeightingRequest } from "./weighting.js";

/** A posted batch to score. */
export interface ScoreRequest {
  /** Absent: the default model. */
  readonly model?: string | undefined;
  /** Dataset that remembers the samples under their ids. Absent: only the outputs are kept. */
  readonly dataset?: string | undefined;
  /** Checkpoint by which the dataset keeps the samples' logits. It needs a dataset. */
  readonly checkpoint?: TrainingCheckpoint | undefined;
  /** Absent: `loss` and `grad_norm_last` for labelled samples, and the signals that need no label for the others. */
  readonly signals?: readonly SignalName[] | undefined;
  /** Absent: the loss of the model's task. */
  readonly loss?: LossName | undefined;
  /** Absent: `DEFAULT_WEIGHTING` if every sample has a label. Null: no weights. */
  readonly weighting?: WeightingRequest | null | undefined;
  readonly precision?: Precision | undefined;
  /** Name of the direction along which `influence`, `alignment` and `tangent` are measured. */
  readonly direction?: string | undefined;
  /** The model whose loss `rho` subtracts, if the samples have no reference loss. */
  readonly reference?: Reference | undefined;
  /** Checkpoints over which `influence` is summed. It is then not measured along `direction`. */
  readonly trajectory?: readonly Checkpoint[] | undefined;
  /** Fraction of the batch whose `grad_norm` is computed exactly. That of the other samples is estimated from it. */
  readonly exact_fraction?: number | undefined;
  /** Seed for drawing the fraction. Absent: 0. */
  readonly seed?: number | undefined;
  readonly samples: readonly Sample[];
}

/** A second model, trained on held-out data. */
export interface Reference {
  readonly model: string;
}

/** One checkpoint of a training run: a served model, a direction made with its weights, and its learning rate. */
export interface Checkpoint {
  readonly model: string;
  readonly direction: string;
  readonly learning_rate: number;
}
