import type { RecordBatch } from "apache-arrow";
import { type Fault, throwFaults } from "../../errors.js";
import { giveTurn } from "../../observe/turns.js";
import type { Limits } from "../../scoring/requests/limits.js";
import {
  type FieldCheck,
  numbersIn,
  type ObservedFields,
  type ObservedSample,
  OUTPUTS_AT_ONCE,
  observedFieldChecks,
  observedSampleSchema,
} from "../../scoring/requests/observed-sample.js";
import { checkSchema, fieldsOf } from "../../scoring/requests/schema-faults.js";
import type { StreamBody } from "../plugins/stream-body.js";
import { arrowBatches, type ColumnRules, columnsByName } from "./batches.js";
import { labelCells, numberCells, type ReadCell, textCells } from "./cells.js";

/** Rows of an Arrow stream, whose fields have been checked. */
export interface ObservedRows {
  readonly count: number;
  readonly fields: ObservedFields;
  /** Number of the first row in the stream, from 1. */
  readonly number: number;
}

/**
 * The rows of an Arrow IPC stream, at most `rowsMax` at a time, fewer if their lists are long, and none of two record batches
 * together: a column for each field of an observed sample. A null is a field that the sample lacks, and so is a `feature_norm` of NaN.
 *
 * Throws `invalid_request` with the faults of all rows that were read together, or if the body has columns that are no fields or
 * have another type; and what `arrowBatches` throws.
 */
export async function* arrowObservations(
  body: StreamBody,
  limits: Limits,
  signal: AbortSignal,
  rowsMax: number,
): AsyncGenerator<ObservedRows> {
  const schema = observedSampleSchema(limits);
  const names = fieldsOf(schema);
  const rules: ColumnRules = {
    listed: names,
    isKnown: (name) => names.includes(name),
    needed: NEEDED.map((name) => ({ anyOf: [name], message: "is missing: every sample has it" })),
  };
  const checks = observedFieldChecks(limits);
  let number = 1;
  for await (const batch of arrowBatches(body, limits, signal)) {
    const cells = cellsOf(batch, rules);
    for (let start = 0; start < batch.numRows; ) {
      const { columns, count } = readColumns(cells, start, Math.min(rowsMax, batch.numRows - start));
      if (!passes(columns, checks)) refuseRows(schema, columns, count, number);
      yield { count, fields: fieldsIn(columns), number };
      number += count;
      start += count;
      await giveTurn();
    }
  }
}

/** The place of a row in words; `number` counts from 1. */
export function rowAt(number: number): string {
  return `row ${number}`;
}

const NEEDED = ["id", "logits"];

type Field = keyof ObservedSample;

function cellsOf(batch: RecordBatch, rules: ColumnRules): ReadonlyMap<Field, ReadCell> {
  const cells = new Map<Field, ReadCell>();
  for (const [name, column] of columnsByName(batch, rules))
    cells.set(name as Field, readersOf(name as Field)(name, column, batch.numRows));
  return cells;
}

function readersOf(field: Field): typeof labelCells {
  if (field === "label" || field === "logits") return labelCells;
  return field === "feature_norm" ? numberCells : textCells;
}

/** The values of some rows, a list for each column that the stream has. */
type Columns = ReadonlyMap<Field, readonly unknown[]>;

/** The fields that may be lists, whose length decides how many rows are read at once. */
const LISTS: readonly Field[] = ["logits", "label"];

/** Reads rows from `start` on, `most` of them unless they hold more than `OUTPUTS_AT_ONCE` numbers. */
function readColumns(
  cells: ReadonlyMap<Field, ReadCell>,
  start: number,
  most: number,
): { readonly columns: Columns; readonly count: number } {
  const columns = new Map<Field, unknown[]>();
  let count = most;
  const inOrder = [...LISTS, ...cells.keys()];
  for (const field of inOrder) {
    const read = cells.get(field);
    if (read === undefined || columns.has(field)) continue;
    const values: unknown[] = [];
    let numbers = 0;
    for (let row = start; row < start + count && numbers < OUTPUTS_AT_ONCE; row++) {
      const value = fieldValue(field, read(row));
      values.push(value);
      numbers += numbersIn(value);
    }
    count = values.length;
    columns.set(field, values);
  }
  for (const values of columns.values()) values.length = count;
  return { columns, count };
}

function fieldValue(field: Field, cell: unknown): unknown {
  if (field === "label") return cell ?? null;
  return field === "feature_norm" && Number.isNaN(cell) ? undefined : cell;
}

function passes(columns: Columns, checks: Readonly<Record<Field, FieldCheck>>): boolean {
  for (const [field, values] of columns) if (!values.every(checks[field])) return false;
  return true;
}

/** The fields by index. The values have passed their checks, so their types are those of a sample. */
function fieldsIn(columns: Columns): ObservedFields {
  const read = <F extends Field>(field: F): ObservedFields[F] => {
    const values = columns.get(field) as readonly ObservedSample[F][] | undefined;
    return ((index) => values?.[index]) as ObservedFields[F];
  };
  const labels = columns.get("label") as readonly ObservedSample["label"][] | undefined;
  return {
    id: read("id"),
    label: (index) => labels?.[index] ?? null,
    logits: read("logits"),
    feature_norm: read("feature_norm"),
    group: read("group"),
    source: read("source"),
    text_digest: read("text_digest"),
  };
}

/** Throws `invalid_request` with what the schema finds in the rows. */
function refuseRows(
  schema: ReturnType<typeof observedSampleSchema>,
  columns: Columns,
  count: number,
  number: number,
): void {
  const faults: Fault[] = [];
  for (let index = 0; index < count; index++) {
    const sample: Record<string, unknown> = { label: null };
    for (const [field, values] of columns) if (values[index] !== undefined) sample[field] = values[index];
    const found = checkSchema(schema, sample).faults ?? [];
    faults.push(...found.map((fault) => ({ ...fault, sample: rowAt(number + index) })));
  }
  throwFaults("invalid_request", faults);
}
