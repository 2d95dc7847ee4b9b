import { isHard, labelFault, targetOf } from "../labels.js";
import { addLogits, classMeans, type LogitTotals } from "../logit-totals.js";
import { HISTORY_SIGNAL_NAMES, type Label, type LossName, type SignalName } from "../types.js";
import { NON_NEGATIVE, OF_ANY_LABEL, OF_PROBABILITIES, SIGNED, type Signal } from "./signal.js";

/** A signal over the checkpoints that scored a sample. A dataset computes it when it writes the sample. */
interface HistorySignal extends Signal {
  /** One batch does not give it. */
  readonly formula: null;
  /** It returns null if the sample lacks the label that the signal needs. */
  readonly ofHistory: (totals: LogitTotals, label: Exclude<Label, null>) => number | null;
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

/** What a dataset keeps of a sample's logits: the newest by checkpoint, and the totals of the older ones. */
export interface LogitHistory {
  readonly classes: number; // K
  /** (C, K) in the order of the checkpoints' steps. */
  readonly logits: Float32Array;
  /** Null if no checkpoint is older than these. */
  readonly merged: LogitTotals | null;
}

/**
 * The signals of a sample's history that its label allows. There are none without a label, under a loss whose logits give no
 * probabilities, and for a label that does not suit the number of logits.
 */
export function historySignals(history: LogitHistory, label: Label, loss: LossName): [SignalName, number][] {
  const { classes } = history;
  if (label === null || !OF_PROBABILITIES.includes(loss) || labelFault(label, loss, classes) !== null)
    return [];
  const totals = totalsOf(history);
  const signals: [SignalName, number][] = [];
  if (totals === null) return signals;
  for (const name of HISTORY_SIGNAL_NAMES) {
    const value = HISTORY_SIGNALS[name].ofHistory(totals, label);
    if (value !== null) signals.push([name, value]);
  }
  return signals;
}

function totalsOf({ classes, logits, merged }: LogitHistory): LogitTotals | null {
  let totals = merged;
  for (let at = 0; at < logits.length; at += classes)
    totals = addLogits(totals, logits.subarray(at, at + classes));
  return totals;
}

/**
 * Mean over the checkpoints of the probability that the model gives to the label, Σ_k y_k p_k (Swayamdipta et al. 2020, "Dataset
 * Cartography", arXiv:2009.10795).
 */
function meanConfidence(totals: LogitTotals, label: Exclude<Label, null>): number {
  return targetOf(label, totals.classes).reduce(
    (sum, y, k) => sum + (y === 0 ? 0 : y * classMeans(totals, k).probability),
    0,
  );
}

/**
 * Standard deviation over the checkpoints of the same probability, divided by n as in the paper. One logit with a soft label y has
 * (2y − 1)p + 1 − y, whose deviation is |2y − 1| times that of p. Several logits need a hard label, because the totals have no
 * products of two classes.
 */
function variability(totals: LogitTotals, label: Exclude<Label, null>): number | null {
  if (totals.classes === 1) return Math.abs(2 * (label as number) - 1) * classMeans(totals, 1).deviation;
  return isHard(label, totals.classes) ? classMeans(totals, label).deviation : null;
}

/**
 * Area under the margin: the mean over the checkpoints of the label's logit minus the largest other (Pleiss et al. 2020,
 * arXiv:2001.10528). For one logit the margin is (2y − 1)z, as that of the signal `margin`.
 */
function areaUnderMargin(totals: LogitTotals, label: Exclude<Label, null>): number | null {
  return isHard(label, totals.classes) ? classMeans(totals, label).margin : null;
}

/**
 * Number of forgetting events: the label's class was predicted at one checkpoint and another at the next (Toneva et al. 2019,
 * arXiv:1812.05159). The paper counts a sample that was never right as forgotten infinitely often; here it has 0, and its mean
 * confidence tells it apart.
 */
function forgettingEvents(totals: LogitTotals, label: Exclude<Label, null>): number | null {
  return isHard(label, totals.classes) ? (totals.left[label] as number) : null;
}
