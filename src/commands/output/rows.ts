import type { Label } from "../../importance/types.js";
import type { SampleRow } from "../../scoring/batch/row.js";
import type { FiledSample } from "../input/sample-file.js";

/** The fields that a row may copy from its sample, in addition to the id. */
export const CARRIED = ["line", "label", "group", "query", "document", "text"] as const;
export type CarriedName = (typeof CARRIED)[number];

/** A row of the output: the results for a sample, and the fields copied from it. */
export interface OutputRow extends SampleRow {
  line?: number;
  label?: Label | null | undefined;
  group?: string | undefined;
  query?: string | undefined;
  document?: string | undefined;
  text?: string | undefined;
}

/** The rows with the named fields of their samples after the id. A field that a sample lacks is left out. */
export function carry(
  rows: readonly SampleRow[],
  batch: readonly FiledSample[],
  names: readonly CarriedName[],
): OutputRow[] {
  if (names.length === 0) return [...rows];
  return rows.map(({ id, ...rest }, index) => {
    const { sample, line } = batch[index] as FiledSample;
    const carried = names.map((name) => [name, name === "line" ? line : sample[name]]);
    return { id, ...Object.fromEntries(carried), ...rest };
  });
}
