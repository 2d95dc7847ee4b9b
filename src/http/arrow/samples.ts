import { DataType, type RecordBatch, RecordBatchReader, type Vector } from "apache-arrow";
import { AssayError, faultsError, messageOf } from "../../errors.js";
import { EXTRAS_PREFIX } from "../../scoring/datasets/keep.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { sampleSchema } from "../../scoring/requests/sample-schema.js";
import { fieldsOf } from "../../scoring/requests/schema-faults.js";
import type { StreamedLine } from "../../scoring/streams/lines.js";
import { bodyQuotaOf } from "../plugins/body-quota.js";
import { bodyStream } from "../plugins/body-stream.js";
import { requestOf, type StreamBody } from "../plugins/stream-body.js";
import { checkedLine } from "../score-lines.js";
import { labelCells, numberCells, type ReadCell, textCells } from "./cells.js";
import { arrowMessages } from "./messages.js";
import { notArrow } from "./metadata.js";

/** Rows that are made into samples at once. */
const ROWS = 256;

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
  const request = requestOf(body);
  const rules = { bytesMax: limits.bodyBytesMax, memory: bodyQuotaOf(request) };
  const schema = sampleSchema(limits);
  let number = 0;
  for await (const batch of recordBatches(arrowMessages(bodyStream(request, signal), rules))) {
    const fills = fillsOf(batch, fieldsOf(schema));
    for (let row = 0; row < batch.numRows; ) {
      const lines: StreamedLine[] = [];
      for (const end = Math.min(row + ROWS, batch.numRows); row < end; row++) {
        number += 1;
        const draft: Draft = {};
        for (const fill of fills) fill(draft, row);
        lines.push(checkedLine({ schema, limits }, draft, number, `row ${number}`));
      }
      yield lines;
    }
  }
}

/** The record batches of the messages. Throws what `messages` throws, and `invalid_request` for what the package throws. */
async function* recordBatches(messages: AsyncIterable<Uint8Array>): AsyncGenerator<RecordBatch> {
  const reader = await readable(async () => {
    const made = await RecordBatchReader.from(messages);
    return (await made.open()) as AsyncIterable<RecordBatch>;
  });
  const batches = reader[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await readable(() => batches.next());
      if (step.done) return;
      yield step.value;
    }
  } finally {
    await batches.return?.();
  }
}

async function readable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof AssayError ? error : notArrow(messageOf(error), error);
  }
}

/** Throws `invalid_request` with each column that no sample has. */
function fillsOf(batch: RecordBatch, fields: readonly string[]): Fill[] {
  const names = batch.schema.fields.map(({ name }) => name);
  const known = [...fields.filter((field) => field !== "extras"), `${EXTRAS_PREFIX}NAME`].join(", ");
  const faults = names.flatMap((name, index) => {
    if (names.indexOf(name) !== index) return [{ path: name, message: "is the name of two columns" }];
    const isKnown = name.startsWith(EXTRAS_PREFIX) || (fields.includes(name) && name !== "extras");
    return isKnown ? [] : [{ path: name, message: `is not a known column; the columns are: ${known}` }];
  });
  const hasTexts = batch.schema.fields.some(
    ({ name, type }) => (name === "text" || name === "query") && !DataType.isNull(type),
  );
  if (!hasTexts)
    faults.push({ path: "text", message: "is missing: send the columns query and document, or text" });
  if (faults.length > 0) throw faultsError("invalid_request", faults);
  return names.map((name, index) => fillOf(name, batch.getChildAt(index) as Vector, batch.numRows));
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
