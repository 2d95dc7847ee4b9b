import { AssayError, type Fault, relocated, throwFaults } from "../../errors.js";
import { lossGradients } from "../../importance/loss-gradients.js";
import type { LossAtLogits } from "../../importance/losses.js";
import { isGroupLoss, type LossName } from "../../importance/types.js";
import type { Caller, ModelDescription, Rankers, Text } from "../../ranker/port.js";
import { modelNameOf } from "../batch/open-models.js";
import { checkLabels, suitLoss } from "../requests/checks.js";
import { type Sample, textOf } from "../requests/sample.js";
import { type IntegratedWay, integrateTokens } from "./integrate.js";
import { occludeWords } from "./occlude.js";

/** How a text's pieces get their contributions. */
export const EXPLANATION_METHODS = ["integrated_gradients", "occlusion"] as const;
export type ExplanationMethod = (typeof EXPLANATION_METHODS)[number];

/** Most classes of a model whose contributions are all answered. */
export const EXPLAINED_CLASSES_MAX = 16;

export interface ExplainRequest {
  /** Absent: the default model. */
  readonly model?: string | undefined;
  /** Absent: the loss of the model's task. */
  readonly loss?: LossName | undefined;
  /** Absent: integrated gradients if the model has the graph for them, occlusion otherwise. */
  readonly method?: ExplanationMethod | undefined;
  /** The only class to explain. Absent: all. */
  readonly class?: number | undefined;
  readonly samples: readonly Sample[];
}

/** A token or a word, at code points `start` to before `end` of its part of the sample. */
export interface ExplainedPiece {
  readonly part: "first" | "second";
  readonly start: number;
  readonly end: number;
  /** (C) For each explained class, how much the piece adds to its logit. */
  readonly contributions: readonly number[];
  /** How much it adds to the sample's loss; null without a label. */
  readonly lossContribution: number | null;
}

/** What moves one text's logits. */
export interface Explained {
  /** (K) */
  readonly logits: readonly number[];
  readonly loss: number | null;
  /** In the order in which the model reads them. */
  readonly pieces: readonly ExplainedPiece[];
  /** Null for occlusion. */
  readonly way: IntegratedWay | null;
}

export interface Explanations {
  readonly model: ModelDescription;
  readonly loss: LossName;
  readonly method: ExplanationMethod;
  /** In the order of the samples. */
  readonly samples: readonly Explained[];
}

/** What is explained of a text. */
export interface Question {
  readonly text: Text;
  /** (C) Indices of the classes. */
  readonly classes: readonly number[];
  /** The loss and its gradient (K) at each of N rows of logits (N, K); null without a label. */
  readonly lossAt: ((logits: Float32Array) => readonly LossAtLogits[]) | null;
}

/**
 * Says of each sample which tokens or words move its logits and its loss. Nothing is remembered, and the store is not asked.
 * Throws `unsuitable_loss`, `unsuitable_label`, `unsuitable_graph`, `invalid_request` for a class that the model does not have,
 * and what `Ranker.run` throws.
 */
export async function explainSamples(
  rankers: Rankers,
  request: ExplainRequest,
  caller: Caller,
): Promise<Explanations> {
  return rankers.use(modelNameOf(rankers, request.model), async (ranker) => {
    const { model } = ranker;
    const loss = pointwiseLoss(request.loss, model);
    checkLabels(request.samples, loss, model.classes);
    const classes = explainedClasses(request.class, model);
    const method =
      request.method ?? (model.gradientGraphs.includes("attribution") ? "integrated_gradients" : "occlusion");
    const explain = method === "occlusion" ? occludeWords : integrateTokens;
    const explained: Explained[] = [];
    for (const [index, sample] of request.samples.entries()) {
      const { label = null } = sample;
      const lossAt = (logits: Float32Array): readonly LossAtLogits[] => {
        const labels = Array.from({ length: logits.length / model.classes }, () => label);
        return lossGradients({ logits, classes: model.classes }, labels, loss, []).filter(
          (at) => at !== null,
        );
      };
      const question = { text: textOf(sample), classes, lossAt: label === null ? null : lossAt };
      try {
        explained.push(await explain(ranker, question, caller));
      } catch (error) {
        throw relocated(error, () => index);
      }
    }
    return { model, loss, method, samples: explained };
  });
}

/** A sample is explained alone, so its loss cannot depend on its group. */
function pointwiseLoss(asked: LossName | undefined, model: ModelDescription): LossName {
  const loss = suitLoss(asked, model);
  if (!isGroupLoss(loss)) return loss;
  const message = "must be a loss of one sample: a sample is explained without its group";
  throw new AssayError("unsuitable_loss", {
    detail: `/loss ${message}`,
    faults: [{ path: "/loss", message }],
  });
}

function explainedClasses(asked: number | undefined, { name, classes }: ModelDescription): number[] {
  const faults: Fault[] = [];
  if (asked !== undefined && asked >= classes)
    faults.push({
      path: "/class",
      message: `must be below ${classes}, the number of logits of model ${name}`,
    });
  if (asked === undefined && classes > EXPLAINED_CLASSES_MAX)
    faults.push({
      path: "/class",
      message: `is needed: model ${name} has ${classes} classes, and at most ${EXPLAINED_CLASSES_MAX} are explained at once`,
    });
  throwFaults("invalid_request", faults);
  return asked === undefined ? Array.from({ length: classes }, (_, k) => k) : [asked];
}
