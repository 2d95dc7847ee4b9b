import { isGroupLoss, type Label, type LossName } from "../../importance/types.js";
import type { Text } from "../../ranker/port.js";

/** One training example as it was posted: a pair of query and document, or one text. */
export type Sample = {
  /** Opaque; needed where a dataset is to remember the sample. */
  readonly id?: string | undefined;
  /** Null or absent: unlabelled. */
  readonly label?: Label | undefined;
  /** The query that pairwise and listwise losses compare within. */
  readonly group?: string | undefined;
  /** Loss of the sample under a reference model, read by `rho`. */
  readonly reference_loss?: number | undefined;
  /** Named numbers that the folder's learned model may read. */
  readonly extras?: Readonly<Record<string, number>> | undefined;
} & (
  | { readonly query: string; readonly document: string; readonly text?: undefined }
  | { readonly query?: undefined; readonly document?: undefined; readonly text: string }
);

/** The sample's text as the model takes it. */
export function textOf(sample: Sample): Text {
  return sample.text === undefined
    ? { first: sample.query, second: sample.document }
    : { first: sample.text, second: null };
}

/** A named number of the sample: every object has a `constructor`, so only its own count. */
export function extraOf({ extras }: Sample, name: string): number | undefined {
  return extras !== undefined && Object.hasOwn(extras, name) ? extras[name] : undefined;
}

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
