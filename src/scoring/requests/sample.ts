import { isGroupLoss, type Label, type LossName } from "../../importance/types.js";
import type { Text } from "../../ranker/port.js";

/** One training example as it was posted: a pair of query and document, or one text. */
export type Sample = {
  /** Opaque. Required if a dataset is to remember the sample. */
  readonly id?: string | undefined;
  /** Null or absent: unlabelled. */
  readonly label?: Label | undefined;
  /** The query of the sample. Pairwise and listwise losses compare the samples of one query. */
  readonly group?: string | undefined;
  /** Where the sample came from: a crawl, a click log, an annotator. */
  readonly source?: string | undefined;
  /** Loss of the sample under a reference model, read by `rho`. */
  readonly reference_loss?: number | undefined;
  /** Named numbers that the folder's learned model or the base of a weighting may read. */
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

/** Characters of the sample's texts. */
export function textLengthOf({
  query = "",
  document = "",
  text = "",
}: Partial<Pick<Sample, "query" | "document" | "text">>): number {
  return query.length + document.length + text.length;
}

/** A named number of the sample. Only own properties count, because every object inherits names such as `constructor`. */
export function extraOf({ extras }: Sample, name: string): number | undefined {
  return extras !== undefined && Object.hasOwn(extras, name) ? extras[name] : undefined;
}

/** Texts of N samples, and what a loss reads of each sample in addition to the model's outputs. */
export interface LabelledTexts {
  readonly texts: readonly Text[]; // (N)
  readonly labels: readonly Label[]; // (N)
  /** (N) if the loss compares the samples of a group; otherwise empty. */
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
