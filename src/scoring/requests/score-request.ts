import type { LossName, SignalName } from "../../importance/types.js";
import type { Precision } from "../../ranker/port.js";
import type { Sample } from "./sample.js";
import type { WeightingRequest } from "./weighting.js";

/** A batch to score, as it is posted. */
export interface ScoreRequest {
  /** The default model where absent. */
  readonly model?: string | undefined;
  /** Remembers the samples under their ids; without it only the outputs are kept. */
  readonly dataset?: string | undefined;
  /** Where absent: `loss` and `grad_norm_last` for labelled samples, what needs no label for the others. */
  readonly signals?: readonly SignalName[] | undefined;
  /** The loss of the model's task where absent. */
  readonly loss?: LossName | undefined;
  /** `DEFAULT_WEIGHTING` where absent and every sample has a label; null for none. */
  readonly weighting?: WeightingRequest | null | undefined;
  readonly precision?: Precision | undefined;
  /** Name of the direction that `influence`, `alignment` and `tangent` are measured along. */
  readonly direction?: string | undefined;
  /** Whose loss `rho` takes away, where the samples bring none. */
  readonly reference?: Reference | undefined;
  /** Checkpoints that `influence` is summed over, in place of the one along `direction`. */
  readonly trajectory?: readonly Checkpoint[] | undefined;
  /** Fraction of the batch whose `grad_norm` is exact; the others' is estimated with their help. */
  readonly exact_fraction?: number | undefined;
  /** Draws those samples; 0 where absent. */
  readonly seed?: number | undefined;
  readonly samples: readonly Sample[];
}

/** A second model, trained on held-out data. */
export interface Reference {
  readonly model: string;
}

/** One checkpoint of a training run: a served model, a direction made with its weights, and the rate it trained at. */
export interface Checkpoint {
  readonly model: string;
  readonly direction: string;
  readonly learning_rate: number;
}
