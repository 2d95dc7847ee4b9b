import { type LossName, SIGNALS, type SignalName } from "./types.js";

/** The label that a signal needs: none, any, or a hard one (0 or 1, or a class index). */
export type LabelNeed = "none" | "any" | "hard";

export interface SignalRule {
  /** Need of a model with one logit. */
  readonly labelOfOneLogit: LabelNeed;
  /** Need of a model with several logits. */
  readonly labelOfManyLogits: LabelNeed;
  /** Never below 0, as the schemes `proportional` and `inverse` require. */
  readonly nonNegative: boolean;
  /** Losses under which the signal has a meaning. */
  readonly losses: readonly LossName[];
}

const EVERY_LOSS: readonly LossName[] = ["bce", "cross_entropy", "mse"];
const OF_PROBABILITIES: readonly LossName[] = ["bce", "cross_entropy"];

/** What each signal asks of labels and losses. Under `mse` a logit is no probability, so signals of p do not apply. */
export const SIGNAL_RULES: Readonly<Record<SignalName, SignalRule>> = {
  loss: { labelOfOneLogit: "any", labelOfManyLogits: "any", nonNegative: true, losses: EVERY_LOSS },
  probability: {
    labelOfOneLogit: "none",
    labelOfManyLogits: "hard",
    nonNegative: true,
    losses: OF_PROBABILITIES,
  },
  margin: {
    labelOfOneLogit: "hard",
    labelOfManyLogits: "hard",
    nonNegative: false,
    losses: OF_PROBABILITIES,
  },
  entropy: {
    labelOfOneLogit: "none",
    labelOfManyLogits: "none",
    nonNegative: true,
    losses: OF_PROBABILITIES,
  },
  confidence: {
    labelOfOneLogit: "any",
    labelOfManyLogits: "any",
    nonNegative: true,
    losses: OF_PROBABILITIES,
  },
  el2n: { labelOfOneLogit: "any", labelOfManyLogits: "any", nonNegative: true, losses: OF_PROBABILITIES },
  grad_norm_last: {
    labelOfOneLogit: "any",
    labelOfManyLogits: "any",
    nonNegative: true,
    losses: EVERY_LOSS,
  },
};

/** The label that `name` needs of a model with `classes` logits. */
export function labelNeed(name: SignalName, classes: number): LabelNeed {
  const rule = SIGNAL_RULES[name];
  return classes === 1 ? rule.labelOfOneLogit : rule.labelOfManyLogits;
}

/** Signals that have a meaning under `loss`, in the order of `SIGNALS`. */
export function suitableSignals(loss: LossName): SignalName[] {
  return SIGNALS.filter((name) => SIGNAL_RULES[name].losses.includes(loss));
}

/** Losses that a model with `classes` logits can have. */
export function suitableLosses(classes: number): LossName[] {
  return classes === 1 ? ["bce", "mse"] : ["cross_entropy"];
}
