import type { StoredLabel } from "../../store/dataset-records.js";

/** In formats whose columns have one type: the labels that are K probabilities. */
export const PROBABILITIES_COLUMN = "label_probabilities";

/** Labels (N) by their two kinds: numbers, NaN for none, and lists of K probabilities, null for none. */
export function labelColumns(labels: readonly StoredLabel[]): {
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly probabilities: readonly (readonly number[] | null)[];
} {
  return {
    numbers: Float64Array.from(labels, (label) => (typeof label === "number" ? label : Number.NaN)),
    probabilities: labels.map((label) => (typeof label === "number" ? null : label)),
  };
}
