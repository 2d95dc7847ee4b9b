import { LOSSES, type LossName, SIGNALS, type SignalName } from "./types.js";

/** The label that a signal needs: none, any, or a hard one (0 or 1, or a class index). */
export type LabelNeed = "none" | "any" | "hard";

/** What a signal reads beside the logits and ‖h‖: Γ, ⟨∇z, v⟩ along a direction, a reference loss, the folder's learned model. */
export type Reading = "gram" | "tangent" | "reference" | "learned";

export interface SignalRule {
  /** Need of a model with one logit. */
  readonly labelOfOneLogit: LabelNeed;
  /** Need of a model with several logits. */
  readonly labelOfManyLogits: LabelNeed;
  /** Never below 0, as the schemes `proportional` and `inverse` require. */
  readonly nonNegative: boolean;
  /** Losses under which the signal has a meaning. */
  readonly losses: readonly LossName[];
  /** Empty where the forward graph alone gives the signal. */
  readonly reads: readonly Reading[];
}

/** Under the other losses a logit is no probability. */
const OF_PROBABILITIES: readonly LossName[] = ["bce", "cross_entropy"];

const OF_ANY_LABEL = { labelOfOneLogit: "any", labelOfManyLogits: "any" } as const;
const OF_NO_LABEL = { labelOfOneLogit: "none", labelOfManyLogits: "none" } as const;
/** For several logits, that of the label's class. */
const OF_ONE_CLASS = { labelOfOneLogit: "none", labelOfManyLogits: "hard" } as const;
const NON_NEGATIVE = { nonNegative: true, losses: LOSSES, reads: [] } as const;
const SIGNED = { nonNegative: false, losses: LOSSES, reads: [] } as const;

/** What each signal asks of labels, losses and the model. */
export const SIGNAL_RULES: Readonly<Record<SignalName, SignalRule>> = {
  loss: { ...OF_ANY_LABEL, ...NON_NEGATIVE },
  probability: { ...OF_ONE_CLASS, ...NON_NEGATIVE, losses: OF_PROBABILITIES },
  margin: { labelOfOneLogit: "hard", labelOfManyLogits: "hard", ...SIGNED, losses: OF_PROBABILITIES },
  entropy: { ...OF_NO_LABEL, ...NON_NEGATIVE, losses: OF_PROBABILITIES },
  confidence: { ...OF_ANY_LABEL, ...NON_NEGATIVE, losses: OF_PROBABILITIES },
  el2n: { ...OF_ANY_LABEL, ...NON_NEGATIVE, losses: OF_PROBABILITIES },
  grad_norm_last: { ...OF_ANY_LABEL, ...NON_NEGATIVE },
  grad_norm: { ...OF_ANY_LABEL, ...NON_NEGATIVE, reads: ["gram"] },
  sensitivity: { ...OF_NO_LABEL, ...NON_NEGATIVE, reads: ["gram"] },
  expected_grad_norm: { ...OF_NO_LABEL, ...NON_NEGATIVE, losses: OF_PROBABILITIES, reads: ["gram"] },
  influence: { ...OF_ANY_LABEL, ...SIGNED, reads: ["tangent"] },
  alignment: { ...OF_ANY_LABEL, ...SIGNED, reads: ["gram", "tangent"] },
  tangent: { ...OF_ONE_CLASS, ...SIGNED, reads: ["tangent"] },
  rho: { ...OF_ANY_LABEL, ...SIGNED, reads: ["reference"] },
  learned: { ...OF_NO_LABEL, ...SIGNED, reads: ["learned"] },
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
  return LOSSES.filter((loss) => (classes === 1) === (loss !== "cross_entropy"));
}
