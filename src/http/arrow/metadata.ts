import { AssayError } from "../../errors.js";
import { type Flatbuffer, openFlatbuffer } from "./flatbuffer.js";

/** What the metadata of a message announces. */
export interface Announced {
  readonly bodyBytes: number;
  /** The largest number of rows of the record batch or of a column in it; 0 for another kind of message. */
  readonly rows: number;
}

/** Places of fields in the tables of Message.fbs and Schema.fbs, and the kinds that matter here. */
const MESSAGE = { kind: 1, header: 2, bodyLength: 3, metadata: 4 } as const;
const KIND = { schema: 1, dictionaryBatch: 2, recordBatch: 3 } as const;
const DICTIONARY_BATCH = { data: 1, isDelta: 2 } as const;
const RECORD_BATCH = { length: 0, nodes: 1, buffers: 2, compression: 3, variadicCounts: 4 } as const;
const SCHEMA = { fields: 1, metadata: 2, features: 3 } as const;
const FIELD = { name: 0, kind: 2, type: 3, children: 5, metadata: 6 } as const;
const KEY_VALUE = { key: 0, value: 1 } as const;
const TIMESTAMP = { zone: 1 } as const;
const TYPE = { timestamp: 10, union: 14 } as const;

/** Most columns with their children, most levels of them, and most entries of one list of metadata. */
const FIELDS_MAX = 1024;
const DEPTH_MAX = 4;
const ENTRIES_MAX = 64;

/**
 * Reads and checks the metadata of a message, which is a flatbuffer. The package trusts the counts in it: it makes as many objects
 * as a count says, and decodes each text as often as it is named. So each vector and each text that the package reads is read here
 * first, and has to fit into the metadata.
 *
 * @throws AssayError `invalid_request`
 */
export function announcedBy(metadata: Buffer): Announced {
  try {
    const flat = openFlatbuffer(metadata);
    const { root: message } = flat;
    const bodyAt = flat.fieldAt(message, MESSAGE.bodyLength);
    const bodyBytes = bodyAt === null ? 0 : Number(metadata.readBigInt64LE(bodyAt));
    const kindAt = flat.fieldAt(message, MESSAGE.kind);
    const header = flat.tableAt(message, MESSAGE.header);
    if (kindAt === null || header === null) throw notArrow("a message has no header");
    checkEntries(flat, message, MESSAGE.metadata);
    switch (metadata.readUInt8(kindAt)) {
      case KIND.schema:
        checkFields(flat, header, SCHEMA, { left: FIELDS_MAX });
        checkNames(flat, header);
        flat.itemsAt(header, SCHEMA.features, 8);
        return { bodyBytes, rows: 0 };
      case KIND.recordBatch:
        return { bodyBytes, rows: rowsIn(flat, header) };
      case KIND.dictionaryBatch:
        return { bodyBytes, rows: dictionaryRows(flat, header) };
      default:
        throw notArrow("a message is of a kind that a stream of samples does not have");
    }
  } catch (cause) {
    throw cause instanceof AssayError ? cause : notArrow("its metadata cannot be read", cause);
  }
}

function dictionaryRows(flat: Flatbuffer, batch: number): number {
  const deltaAt = flat.fieldAt(batch, DICTIONARY_BATCH.isDelta);
  // They would add up to any size.
  if (deltaAt !== null && flat.bytes.readUInt8(deltaAt) !== 0)
    throw notArrow("it has delta dictionaries: send whole dictionaries, or plain texts");
  const data = flat.tableAt(batch, DICTIONARY_BATCH.data);
  if (data === null) throw notArrow("a dictionary has no values");
  return rowsIn(flat, data);
}

function rowsIn(flat: Flatbuffer, batch: number): number {
  const { bytes } = flat;
  if (flat.fieldAt(batch, RECORD_BATCH.compression) !== null)
    throw notArrow("its buffers are compressed: write the stream without compression");
  const lengthAt = flat.fieldAt(batch, RECORD_BATCH.length);
  let rows = lengthAt === null ? 0 : Number(bytes.readBigInt64LE(lengthAt));
  if (rows < 0) throw notArrow("a record batch has fewer than no rows");
  for (const node of flat.itemsAt(batch, RECORD_BATCH.nodes, 16))
    rows = Math.max(rows, Number(bytes.readBigInt64LE(node)));
  const buffers = BigInt(flat.itemsAt(batch, RECORD_BATCH.buffers, 16).length);
  let variadic = 0n;
  for (const at of flat.itemsAt(batch, RECORD_BATCH.variadicCounts, 8)) variadic += bytes.readBigUInt64LE(at);
  if (variadic > buffers) throw notArrow("a record batch announces more buffers than it has");
  return rows;
}

/** Checks the fields of a schema or the children of a field, which are in the same form. */
function checkFields(
  flat: Flatbuffer,
  table: number,
  places: { readonly fields: number; readonly metadata: number },
  budget: { left: number },
  depth = 0,
): void {
  checkEntries(flat, table, places.metadata);
  const fields = flat.tablesAt(table, places.fields);
  budget.left -= fields.length;
  if (budget.left < 0) throw notArrow(`it has more than ${FIELDS_MAX} columns`);
  if (fields.length > 0 && depth === DEPTH_MAX)
    throw notArrow(`its columns are nested more than ${DEPTH_MAX} levels deep`);
  for (const field of fields) {
    flat.textBytes(field, FIELD.name);
    const kindAt = flat.fieldAt(field, FIELD.kind);
    const kind = kindAt === null ? null : flat.bytes.readUInt8(kindAt);
    if (kind === TYPE.union) throw notArrow("it has a column of unions");
    const type = flat.tableAt(field, FIELD.type);
    if (kind === TYPE.timestamp && type !== null) flat.textBytes(type, TIMESTAMP.zone);
    checkFields(flat, field, { fields: FIELD.children, metadata: FIELD.metadata }, budget, depth + 1);
  }
}

/** The columns of the stream are found by their names; their children need none. */
function checkNames(flat: Flatbuffer, schema: number): void {
  for (const [index, field] of flat.tablesAt(schema, SCHEMA.fields).entries())
    if (!flat.textBytes(field, FIELD.name)) throw notArrow(`column ${index + 1} has no name`);
}

/** Checks the entries of the metadata that a message, a schema or a field has of its own. */
function checkEntries(flat: Flatbuffer, table: number, field: number): void {
  const entries = flat.tablesAt(table, field);
  if (entries.length > ENTRIES_MAX)
    throw notArrow(`it has more than ${ENTRIES_MAX} entries of metadata in one place`);
  for (const entry of entries) {
    flat.textBytes(entry, KEY_VALUE.key);
    flat.textBytes(entry, KEY_VALUE.value);
  }
}

/** The error for a body that is not an Arrow IPC stream, or one that cannot be read here. */
export function notArrow(reason: string, cause?: unknown): AssayError {
  return new AssayError("invalid_request", {
    detail: `The body is not an Arrow IPC stream that can be read: ${reason}`,
    cause,
  });
}
