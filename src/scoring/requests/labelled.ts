import { isGroupLoss, type Label, type LossName } from "../../importance/types.js";
import type { Text } from "../../ranker/port.js";
import { type Sample, textOf } from "./sample.js";

/** Texts of N samples, and what a loss reads of each beside the model's answer. */
export interface LabelledTexts {
  readonly texts: readonly Text[]; // (N)
  readonly labels: readonly Label[]; // (N)
  /** (N) where the loss compares the samples of a group, or empty. */
  readonly groups: readonly (string | null)[];
  readonly loss: LossName;
}

export function labelledTexts(samples: readonly Sample[], loss: LossName): LabelledTexts {
  return {
    texts: samples.map(textOf),
    labels: samples.map(({ label = null }) => label),
    groups: isGroupLoss(loss) ? samples.map(({ group = null }) => group) : [],
    loss,
  };
}
