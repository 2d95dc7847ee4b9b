import type { Vector } from "apache-arrow";
import { giveTurn } from "../../observe/turns.js";
import { EXTRAS_PREFIX } from "../../scoring/datasets/keep.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { sampleSchema } from "../../scoring/requests/sample-schema.js";
import { fieldsOf } from "../../scoring/requests/schema-faults.js";
import type { StreamedLine } from "../../scoring/streams/lines.js";
import type { StreamBody } from "../plugins/stream-body.js";
import { checkedLine } from "../score-lines.js";
import { arrowBatches, type ColumnRules, columnsByName } from "./batches.js";
import { labelCells, numberCells, type ReadCell, textCells } from "./cells.js";

/** Rows that are made into samples at once. */
const ROWS = 64;

const NUMBERS: ReadonlySet<string> = new Set(["reference_loss"]);

/** A sample that is being built. */
interface Draft {
  [field: string]: unknown;
  extras?: Record<string, unknown>;
}

/** Puts the value that a column has in a row into the sample of the row. */
type Fill = (sample: Draft, row: number) => void;

/**
 * The rows of an Arrow IPC stream as samples, in constant memory: a column for each field, and `extras.NAME` for an extra. Where a
 * column is null, the sample lacks the field.
 *
 * Throws `invalid_request` if the body is no such stream, or has a column that is not a field of a sample or has another type;
 * `body_too_large` for a record batch of more bytes than a body may have; and what `bodyStream` throws.
 */
export async function* arrowSamples(
  body: StreamBody,
  limits: Limits,
  signal: AbortSignal,
): AsyncGenerator<StreamedLine[]> {
  const schema = sampleSchema(limits);
  const rules = columnRules(fieldsOf(schema));
  let number = 0;
  for await (const batch of arrowBatches(body, limits, signal)) {
    const columns = columnsByName(batch, rules);
    const fills = [...columns].map(([name, column]) => fillOf(name, column, batch.numRows));
    for (let row = 0; row < batch.numRows; ) {
      const lines: StreamedLine[] = [];
      for (const end = Math.min(row + ROWS, batch.numRows); row < end; row++) {
        number += 1;
        const draft: Draft = {};
        for (const fill of fills) fill(draft, row);
        lines.push(checkedLine({ schema, limits }, draft, { unit: "row", number }));
      }
      yield lines;
      await giveTurn();
    }
  }
}

function columnRules(fields: readonly string[]): ColumnRules {
  const named = fields.filter((field) => field !== "extras");
  return {
    listed: [...named, `${EXTRAS_PREFIX}NAME`],
    isKnown: (name) => name.startsWith(EXTRAS_PREFIX) || named.includes(name),
    needed: [
      { anyOf: ["text", "query"], message: "is missing: send the columns query and document, or text" },
    ],
  };
}

function fillOf(name: string, column: Vector, rows: number): Fill {
  if (name.startsWith(EXTRAS_PREFIX)) {
    const read = numberCells(name, column, rows);
    const extra = name.slice(EXTRAS_PREFIX.length);
    return (sample, row) => {
      const value = read(row);
      if (value === undefined) return;
      sample.extras ??= Object.create(null) as Record<string, unknown>;
      sample.extras[extra] = value;
    };
  }
  const read = readerOf(name, column, rows);
  return (sample, row) => {
    const value = read(row);
    if (value !== undefined) sample[name] = value;
  };
}

function readerOf(name: string, column: Vector, rows: number): ReadCell {
  if (name === "label") return labelCells(name, column, rows);
  return NUMBERS.has(name) ? numberCells(name, column, rows) : textCells(name, column, rows);
}
