import type { Label } from "../../importance/types.js";
import type { SampleRow } from "../../scoring/batch/row.js";
import type { FiledSample } from "../input/sample-file.js";

/** What a row may carry of its sample beside the id. */
export const CARRIED = ["line", "label", "group", "query", "document", "text"] as const;
export type CarriedName = (typeof CARRIED)[number];

/** A line of the output: what was found of a sample, and what it carries of it. */
export interface OutputRow extends SampleRow {
  line?: number;
  label?: Label | null | undefined;
  group?: string | undefined;
  query?: string | undefined;
  document?: string | undefined;
  text?: string | undefined;
}

/** Rows with what they carry of their samples behind the id; what a sample lacks is left out. */
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
