import { type Data, type DataType, Field, Schema } from "apache-arrow";
import type { SignalName } from "../importance/types.js";
import { probabilitiesAt, type SampleRow, type ScoredColumns } from "../scoring/batch/row.js";
import type { FaultyLine, StreamedResults } from "../scoring/streams/lines.js";
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
export type ResultWriter = PartWriter<StreamedResults>;

/** A result a line; for a faulty line its number and the problem. */
export function ndjsonResults(): ResultWriter {
  return {
    begin: () => "",
    write({ lines, answer }) {
      const rows = answer?.rows() ?? [];
      return lines.map((line) => (typeof line === "number" ? rowLine(rows[line]) : faultLine(line))).join("");
    },
    end: () => "",
  };
}

function rowLine(row: SampleRow | undefined): string {
  return `${JSON.stringify({ ...row, weight: undefined })}\n`;
}

function faultLine({ id, number, error }: FaultyLine): string {
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
    idColumn(),
    ...(classes === 1
      ? [numberColumn("logit", ({ outputs }) => outputs.logits)]
      : [listColumn("logits", logitsAt), listColumn("probabilities", probabilitiesAt)]),
    numberColumn("probability", probabilities),
    ...others.map((name) => numberColumn(name, (scored) => scored.signals.get(name))),
    flagColumn("cached", ({ outputs }) => outputs.cached),
    flagColumn("truncated", ({ outputs }) => outputs.truncated),
    faultColumn("error", ({ error }) => error.code),
    faultColumn("detail", ({ error }) => error.message),
  ];
  const writer = openArrowWriter(new Schema(columns.map(({ name, type }) => new Field(name, type, true))));
  return {
    begin: () => writer.begin(),
    write: (results) =>
      writer.write(
        results.lines.length,
        columns.map(({ dataOf }) => dataOf(results)),
      ),
    end: () => writer.end(),
  };
}

/** A column of the answer, made from the results of a batch. */
interface ResultColumn {
  readonly name: string;
  readonly type: DataType;
  dataOf(results: StreamedResults): Data;
}

/** The column of the answer has a value for each line, and that of the scored samples has none for faulty lines. */
function numberColumn(
  name: string,
  read: (scored: ScoredColumns) => ArrayLike<number | null> | undefined,
): ResultColumn {
  return {
    name,
    type: FLOAT64,
    dataOf({ lines, answer }) {
      const values = new Float64Array(lines.length).fill(Number.NaN);
      const scored = answer === null ? undefined : read(answer.columns);
      if (scored === undefined) return float64Data(values);
      for (let index = 0; index < lines.length; index++) {
        const line = lines[index];
        if (typeof line === "number") values[index] = scored[line] ?? Number.NaN;
      }
      return float64Data(values);
    },
  };
}

/** The probability of the label or, for one logit, of a 1. */
function probabilities(scored: ScoredColumns): ArrayLike<number | null> | undefined {
  const { ids, outputs, signals } = scored;
  const column = signals.get("probability");
  if (column !== undefined || outputs.classes > 1) return column;
  return ids.map((_, index) => probabilitiesAt(scored, index)?.[1] ?? null);
}

function logitsAt({ outputs: { logits, classes } }: ScoredColumns, index: number): ArrayLike<number> {
  return logits.subarray(index * classes, (index + 1) * classes);
}

function listColumn(
  name: string,
  read: (scored: ScoredColumns, index: number) => ArrayLike<number> | null,
): ResultColumn {
  return {
    name,
    type: FLOAT64_LIST,
    dataOf: ({ lines, answer }) =>
      listData(
        lines.map((line) =>
          typeof line === "number" && answer !== null ? read(answer.columns, line) : null,
        ),
      ),
  };
}

function flagColumn(name: string, read: (scored: ScoredColumns) => readonly boolean[]): ResultColumn {
  return {
    name,
    type: BOOL,
    dataOf({ lines, answer }) {
      const flags = answer === null ? [] : read(answer.columns);
      return boolData(lines.map((line) => typeof line === "number" && (flags[line] ?? false)));
    },
  };
}

function idColumn(): ResultColumn {
  return {
    name: "id",
    type: UTF8,
    dataOf({ lines, answer }) {
      const ids = answer?.columns.ids ?? [];
      return textData(lines.map((line) => (typeof line === "number" ? (ids[line] ?? null) : line.id)));
    },
  };
}

function faultColumn(name: string, read: (line: FaultyLine) => string): ResultColumn {
  return {
    name,
    type: UTF8,
    dataOf: ({ lines }) => textData(lines.map((line) => (typeof line === "number" ? null : read(line)))),
  };
}
