import type { AssayError } from "../../errors.js";
import type { SampleRow } from "../batch/row.js";
import type { LocatedSample } from "../requests/sample-batches.js";

/** A sample of a stream. */
export interface StreamedSample extends LocatedSample {
  /** Of the line or the row, from 1. */
  readonly number: number;
}

/** A line or a row that is no sample, and why. */
export interface FaultyLine {
  readonly number: number;
  /** Null if it has none, or if it cannot be read. */
  readonly id: string | null;
  /** Null if it has none; undefined if it cannot be read. */
  readonly group: string | null | undefined;
  readonly error: AssayError;
}

export type StreamedLine = StreamedSample | FaultyLine;

export type StreamedResult = { readonly row: SampleRow } | FaultyLine;

export function isFaulty(line: StreamedLine | StreamedResult): line is FaultyLine {
  return "error" in line;
}

/** The sample as a line that has a fault. */
export function faulty({ number, sample }: StreamedSample, error: AssayError): FaultyLine {
  return { number, id: sample.id ?? null, group: sample.group ?? null, error };
}
