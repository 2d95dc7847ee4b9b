import { LOSSES, type LossName, SIGNALS, type SignalName } from "../types.js";
import type { LabelNeed } from "./signal.js";
import { SIGNAL_TABLE } from "./table.js";

/** The label that the signal `name` needs if the model has `classes` logits. */
export function labelNeed(name: SignalName, classes: number): LabelNeed {
  const rule = SIGNAL_TABLE[name];
  return classes === 1 ? rule.labelOfOneLogit : rule.labelOfManyLogits;
}

/** Signals that have a meaning under `loss`, in the order of `SIGNALS`. */
export function suitableSignals(loss: LossName): SignalName[] {
  return SIGNALS.filter((name) => SIGNAL_TABLE[name].losses.includes(loss));
}

/** Losses that a model with `classes` logits can have. */
export function suitableLosses(classes: number): LossName[] {
  return LOSSES.filter((loss) => (classes === 1) === (loss !== "cross_entropy"));
}
