import { type Data, type DataType, Field, Schema } from "apache-arrow";
import type { SignalName } from "../importance/types.js";
import type { SampleRow } from "../scoring/batch/row.js";
import { type FaultyLine, isFaulty, type StreamedResult } from "../scoring/streams/lines.js";
import {
  BOOL,
  boolData,
  FLOAT64,
  FLOAT64_LIST,
  float64Data,
  listData,
  textData,
  UTF8,
} from "./arrow/columns.js";
import { openArrowWriter } from "./arrow/writer.js";
import type { PartWriter } from "./plugins/streamed-answer.js";
import { describeError } from "./problems.js";

/** Encodes the results of a stream, a batch of them at a time. */
export type ResultWriter = PartWriter<readonly StreamedResult[]>;

/** A result a line; for a faulty line its number and the problem. */
export function ndjsonResults(): ResultWriter {
  return {
    begin: () => "",
    write: (results) => results.map(lineOf).join(""),
    end: () => "",
  };
}

function lineOf(result: StreamedResult): string {
  if (!isFaulty(result)) return `${JSON.stringify({ ...result.row, weight: undefined })}\n`;
  const { id, number, error } = result;
  return `${JSON.stringify({ id, line: number, error: describeError(error, `Line ${number}`) })}\n`;
}

/** What decides the columns of an Arrow answer. */
export interface ResultColumns {
  /** K of the model. */
  readonly classes: number;
  /** Signals that a row may have. */
  readonly signals: readonly SignalName[];
}

/** A row a result. A faulty row has only `id`, `error` (the code) and `detail`: its numbers are null and its flags false. */
export function arrowResults({ classes, signals }: ResultColumns): ResultWriter {
  const others = signals.filter((name) => name !== "probability");
  const columns = [
    textColumn("id", (row) => row.id),
    ...(classes === 1
      ? [numberColumn("logit", (row) => row.logit)]
      : [listColumn("logits", (row) => row.logits), listColumn("probabilities", (row) => row.probabilities)]),
    numberColumn("probability", (row) => row.probability),
    ...others.map((name) => numberColumn(name, (row) => row[name])),
    flagColumn("cached", (row) => row.cached),
    flagColumn("truncated", (row) => row.truncated),
    faultColumn("error", ({ error }) => error.code),
    faultColumn("detail", ({ error }) => error.message),
  ];
  const writer = openArrowWriter(new Schema(columns.map(({ name, type }) => new Field(name, type, true))));
  return {
    begin: () => writer.begin(),
    write: (results) =>
      writer.write(
        results.length,
        columns.map(({ dataOf }) => dataOf(results)),
      ),
    end: () => writer.end(),
  };
}

/** A column of the answer, made from the results of a batch. */
interface ResultColumn {
  readonly name: string;
  readonly type: DataType;
  dataOf(results: readonly StreamedResult[]): Data;
}

function textColumn(name: string, read: (row: SampleRow) => string | null): ResultColumn {
  const textOf = (result: StreamedResult): string | null => (isFaulty(result) ? result.id : read(result.row));
  return { name, type: UTF8, dataOf: (results) => textData(results.map(textOf)) };
}

function numberColumn(name: string, read: (row: SampleRow) => number | undefined): ResultColumn {
  const numberOf = (result: StreamedResult): number =>
    isFaulty(result) ? Number.NaN : (read(result.row) ?? Number.NaN);
  return { name, type: FLOAT64, dataOf: (results) => float64Data(Float64Array.from(results, numberOf)) };
}

function listColumn(name: string, read: (row: SampleRow) => number[] | undefined): ResultColumn {
  const listOf = (result: StreamedResult): number[] | null =>
    isFaulty(result) ? null : (read(result.row) ?? null);
  return { name, type: FLOAT64_LIST, dataOf: (results) => listData(results.map(listOf)) };
}

function flagColumn(name: string, read: (row: SampleRow) => boolean): ResultColumn {
  const flagOf = (result: StreamedResult): boolean => !isFaulty(result) && read(result.row);
  return { name, type: BOOL, dataOf: (results) => boolData(results.map(flagOf)) };
}

function faultColumn(name: string, read: (line: FaultyLine) => string): ResultColumn {
  const faultOf = (result: StreamedResult): string | null => (isFaulty(result) ? read(result) : null);
  return { name, type: UTF8, dataOf: (results) => textData(results.map(faultOf)) };
}
