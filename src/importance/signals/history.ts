import { isHard, labelFault, targetOf } from "../labels.js";
import { addLogits, classMeans, type LogitTotals } from "../logit-totals.js";
import { HISTORY_SIGNAL_NAMES, type Label, type LossName, type SignalName } from "../types.js";
import { NON_NEGATIVE, OF_ANY_LABEL, OF_PROBABILITIES, SIGNED, type Signal } from "./signal.js";

/** A signal over the checkpoints that scored a sample. A dataset computes it when it writes the sample. */
interface HistorySignal extends Signal {
  /** One batch does not give it. */
  readonly formula: null;
  /** @param label one that the signal takes */
  readonly ofHistory: (totals: LogitTotals, label: Exclude<Label, null>) => number;
}

const OF_HISTORY = { reads: ["history"], losses: OF_PROBABILITIES, formula: null } as const;
const OF_HARD_LABEL = { labelOfOneLogit: "hard", labelOfManyLogits: "hard" } as const;

/** Signals of the logits that a dataset keeps by checkpoint, with the sample's present label. */
export const HISTORY_SIGNALS = {
  mean_confidence: { ...OF_ANY_LABEL, ...NON_NEGATIVE, ...OF_HISTORY, ofHistory: meanConfidence },
  variability: {
    labelOfOneLogit: "any",
    labelOfManyLogits: "hard",
    ...NON_NEGATIVE,
    ...OF_HISTORY,
    ofHistory: variability,
  },
  aum: { ...OF_HARD_LABEL, ...SIGNED, ...OF_HISTORY, ofHistory: areaUnderMargin },
  forgetting: { ...OF_HARD_LABEL, ...NON_NEGATIVE, ...OF_HISTORY, ofHistory: forgettingEvents },
} as const satisfies Record<(typeof HISTORY_SIGNAL_NAMES)[number], HistorySignal>;

/** The signals that a label allows. Samples share these lists. */
const NAMES = {
  hard: HISTORY_SIGNAL_NAMES,
  softOfOneLogit: HISTORY_SIGNAL_NAMES.filter((name) => HISTORY_SIGNALS[name].labelOfOneLogit === "any"),
  softOfManyLogits: HISTORY_SIGNAL_NAMES.filter((name) => HISTORY_SIGNALS[name].labelOfManyLogits === "any"),
};

/** What a dataset keeps of a sample's logits: the newest by checkpoint, and the totals of the older ones. */
export interface LogitHistory {
  readonly classes: number; // K
  /** (C, K) in the order of the checkpoints' steps. */
  readonly logits: readonly number[];
  /** Null if no checkpoint is older than these. */
  readonly merged: LogitTotals | null;
}

/** Signals of one sample, with their names in the same order. */
export interface NamedSignals {
  readonly names: readonly SignalName[];
  readonly values: readonly number[];
}

/**
 * The signals of a sample's history that its label allows. Null without a label, under a loss whose logits give no probabilities,
 * and for a label that does not suit the number of logits.
 */
export function historySignals(history: LogitHistory, label: Label, loss: LossName): NamedSignals | null {
  const { classes, logits, merged } = history;
  if (label === null || !OF_PROBABILITIES.includes(loss) || labelFault(label, loss, classes) !== null)
    return null;
  const totals = addLogits(merged, logits, classes);
  const soft = classes === 1 ? NAMES.softOfOneLogit : NAMES.softOfManyLogits;
  const names = isHard(label, classes) ? NAMES.hard : soft;
  return { names, values: names.map((name) => HISTORY_SIGNALS[name].ofHistory(totals, label)) };
}

/**
 * Mean over the checkpoints of the probability that the model gives to the label, Σ_k y_k p_k (Swayamdipta et al. 2020, "Dataset
 * Cartography", arXiv:2009.10795).
 */
function meanConfidence(totals: LogitTotals, label: Exclude<Label, null>): number {
  if (isHard(label, totals.classes)) return classMeans(totals, label).probability;
  return targetOf(label, totals.classes).reduce(
    (sum, y, k) => sum + y * classMeans(totals, k).probability,
    0,
  );
}

/**
 * Standard deviation over the checkpoints of the same probability, divided by n as in the paper. One logit with a soft label y has
 * (2y − 1)p + 1 − y, whose deviation is |2y − 1| times that of p. Several logits need a hard label, because the totals have no
 * products of two classes.
 */
function variability(totals: LogitTotals, label: Exclude<Label, null>): number {
  if (totals.classes === 1) return Math.abs(2 * (label as number) - 1) * classMeans(totals, 1).deviation;
  return classMeans(totals, label as number).deviation;
}

/**
 * Area under the margin: the mean over the checkpoints of the label's logit minus the largest other (Pleiss et al. 2020,
 * arXiv:2001.10528). For one logit the margin is (2y − 1)z, as that of the signal `margin`. It needs a hard label.
 */
function areaUnderMargin(totals: LogitTotals, label: Exclude<Label, null>): number {
  return classMeans(totals, label as number).margin;
}

/**
 * Number of forgetting events: the label's class was predicted at one checkpoint and another at the next (Toneva et al. 2019,
 * arXiv:1812.05159). The paper counts a sample that was never right as forgotten infinitely often; here it has 0, and its mean
 * confidence tells it apart. It needs a hard label.
 */
function forgettingEvents(totals: LogitTotals, label: Exclude<Label, null>): number {
  return totals.left[label as number] as number;
}
