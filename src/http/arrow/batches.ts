import { DataType, type RecordBatch, RecordBatchReader, type Vector } from "apache-arrow";
import { AssayError, faultsError } from "../../errors.js";
import { EXTRAS_PREFIX } from "../../scoring/datasets/keep.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { POISON } from "../../scoring/requests/strict-json.js";
import { bodyQuotaOf } from "../plugins/body-quota.js";
import { bodyStream } from "../plugins/body-stream.js";
import { requestOf, type StreamBody } from "../plugins/stream-body.js";
import { arrowMessages } from "./messages.js";
import { notArrow } from "./metadata.js";

/**
 * The record batches of an Arrow IPC stream as they arrive. Throws `invalid_request` if the body is no such stream,
 * `body_too_large` for a record batch of more bytes than a body may have, and what `bodyStream` throws.
 */
export async function* arrowBatches(
  body: StreamBody,
  { bodyBytesMax }: Pick<Limits, "bodyBytesMax">,
  signal: AbortSignal,
): AsyncGenerator<RecordBatch> {
  const request = requestOf(body);
  const rules = { bytesMax: bodyBytesMax, memory: bodyQuotaOf(request) };
  yield* recordBatches(arrowMessages(bodyStream(request, signal), rules));
}

async function* recordBatches(messages: AsyncIterable<Uint8Array>): AsyncGenerator<RecordBatch> {
  const reader = await readable("its schema", async () => {
    const made = await RecordBatchReader.from(messages);
    return (await made.open()) as AsyncIterable<RecordBatch>;
  });
  const batches = reader[Symbol.asyncIterator]();
  try {
    for (let number = 1; ; number++) {
      const step = await readable(`record batch ${number}`, () => batches.next());
      if (step.done) return;
      yield step.value;
    }
  } finally {
    await batches.return?.();
  }
}

/** What the package throws is an `invalid_request` here. Its message speaks of the package's code, so only the log has it. */
async function readable<T>(what: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof AssayError ? error : notArrow(`${what} cannot be read`, error);
  }
}

const POISONED = `${EXTRAS_PREFIX}__proto__`;

/** What a stream's columns may be. */
export interface ColumnRules {
  /** Names as a message lists them. */
  readonly listed: readonly string[];
  isKnown(name: string): boolean;
  /** Of each list, a column is needed that is not null throughout. The message says what to send. */
  readonly needed: readonly { readonly anyOf: readonly string[]; readonly message: string }[];
}

/**
 * The columns of a record batch by their names. Throws `invalid_request` with each column that is not known, that occurs twice, or
 * that is missing.
 */
export function columnsByName(
  batch: RecordBatch,
  { listed, isKnown, needed }: ColumnRules,
): Map<string, Vector> {
  const { fields } = batch.schema;
  const names = fields.map(({ name }) => name);
  const faults = names.flatMap((name, index) => {
    if (names.indexOf(name) !== index) return [{ path: name, message: "is the name of two columns" }];
    // As in JSON. Code that copies a sample by its names would drop the value.
    if (isKnown(name) && name === POISONED) return [{ path: name, message: POISON }];
    if (isKnown(name)) return [];
    return [{ path: name, message: `is not a known column; the columns are: ${listed.join(", ")}` }];
  });
  for (const { anyOf, message } of needed) {
    const isThere = fields.some(({ name, type }) => anyOf.includes(name) && !DataType.isNull(type));
    if (!isThere) faults.push({ path: anyOf[0] as string, message });
  }
  if (faults.length > 0) throw faultsError("invalid_request", faults);
  return new Map(names.map((name, index) => [name, batch.getChildAt(index) as Vector]));
}
