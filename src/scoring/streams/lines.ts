import type { AssayError } from "../../errors.js";
import type { ScoreAnswer } from "../batch/score.js";
import type { Sample } from "../requests/sample.js";

/** A sample of a stream. */
export interface StreamedSample {
  readonly sample: Sample;
  /** What its place in the stream is called. */
  readonly unit: StreamUnit;
  /** Of the line or the row, from 1. */
  readonly number: number;
}

export type StreamUnit = "line" | "row";

/** The place of a line or a row in words. */
export function placeIn({ unit, number }: Pick<StreamedSample, "unit" | "number">): string {
  return `${unit} ${number}`;
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

/** The results of a part of a stream. */
export interface StreamedResults {
  /** For each line its place among the scored samples, or its fault. */
  readonly lines: readonly (number | FaultyLine)[];
  /** Null if all lines have faults. */
  readonly answer: ScoreAnswer | null;
}

export function isFaulty(line: StreamedLine): line is FaultyLine {
  return "error" in line;
}

/** The sample as a line that has a fault. */
export function faulty({ number, sample }: StreamedSample, error: AssayError): FaultyLine {
  return { number, id: sample.id ?? null, group: sample.group ?? null, error };
}
