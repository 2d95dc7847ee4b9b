import { AssayError } from "../../errors.js";

/** What the metadata of a message announces. */
export interface Announced {
  readonly bodyBytes: number;
  /** The largest number of rows of the record batch or of a column in it; 0 for another kind of message. */
  readonly rows: number;
}

/** Places of fields in the tables of Message.fbs and Schema.fbs, and the kinds that matter here. */
const MESSAGE = { kind: 1, header: 2, bodyLength: 3 } as const;
const KIND = { schema: 1, dictionaryBatch: 2, recordBatch: 3 } as const;
const DICTIONARY_BATCH = { data: 1, isDelta: 2 } as const;
const RECORD_BATCH = { length: 0, nodes: 1, buffers: 2, variadicCounts: 4 } as const;
const SCHEMA = { fields: 1, metadata: 2, features: 3 } as const;
const FIELD = { kind: 2, children: 5, metadata: 6 } as const;
const UNION = 14;

/** Most columns with their children, most levels of them, and most entries of a schema's own metadata. */
const FIELDS_MAX = 1024;
const DEPTH_MAX = 4;
const ENTRIES_MAX = 64;

/**
 * Reads and checks the metadata of a message, which is a flatbuffer. The package trusts the counts in it, and would make as many
 * objects as a count says. So each count has to fit into the metadata.
 *
 * @throws AssayError `invalid_request`
 */
export function announcedBy(metadata: Buffer): Announced {
  try {
    const message = metadata.readUInt32LE(0);
    const bodyAt = fieldAt(metadata, message, MESSAGE.bodyLength);
    const bodyBytes = bodyAt === null ? 0 : Number(metadata.readBigInt64LE(bodyAt));
    const kindAt = fieldAt(metadata, message, MESSAGE.kind);
    const header = tableAt(metadata, message, MESSAGE.header);
    if (kindAt === null || header === null) throw notArrow("a message has no header");
    switch (metadata.readUInt8(kindAt)) {
      case KIND.schema:
        checkFields(metadata, header, SCHEMA, { left: FIELDS_MAX });
        itemsAt(metadata, header, SCHEMA.features, 8);
        return { bodyBytes, rows: 0 };
      case KIND.recordBatch:
        return { bodyBytes, rows: rowsIn(metadata, header) };
      case KIND.dictionaryBatch:
        return { bodyBytes, rows: dictionaryRows(metadata, header) };
      default:
        throw notArrow("a message is of a kind that a stream of samples does not have");
    }
  } catch (cause) {
    throw cause instanceof AssayError ? cause : notArrow("its metadata cannot be read", cause);
  }
}

function dictionaryRows(metadata: Buffer, batch: number): number {
  const deltaAt = fieldAt(metadata, batch, DICTIONARY_BATCH.isDelta);
  // They would add up to any size.
  if (deltaAt !== null && metadata.readUInt8(deltaAt) !== 0)
    throw notArrow("it has delta dictionaries: send whole dictionaries, or plain texts");
  const data = tableAt(metadata, batch, DICTIONARY_BATCH.data);
  return data === null ? 0 : rowsIn(metadata, data);
}

function rowsIn(metadata: Buffer, batch: number): number {
  const lengthAt = fieldAt(metadata, batch, RECORD_BATCH.length);
  let rows = lengthAt === null ? 0 : Number(metadata.readBigInt64LE(lengthAt));
  if (rows < 0) throw notArrow("a record batch has fewer than no rows");
  for (const node of itemsAt(metadata, batch, RECORD_BATCH.nodes, 16))
    rows = Math.max(rows, Number(metadata.readBigInt64LE(node)));
  itemsAt(metadata, batch, RECORD_BATCH.buffers, 16);
  itemsAt(metadata, batch, RECORD_BATCH.variadicCounts, 8);
  return rows;
}

/** Checks the fields of a schema or the children of a field, which are in the same form. */
function checkFields(
  metadata: Buffer,
  table: number,
  places: { readonly fields: number; readonly metadata: number },
  budget: { left: number },
  depth = 0,
): void {
  if (itemsAt(metadata, table, places.metadata, 4).length > ENTRIES_MAX)
    throw notArrow(`its schema has more than ${ENTRIES_MAX} entries of metadata`);
  const fields = itemsAt(metadata, table, places.fields, 4);
  budget.left -= fields.length;
  if (budget.left < 0) throw notArrow(`it has more than ${FIELDS_MAX} columns`);
  if (fields.length > 0 && depth === DEPTH_MAX)
    throw notArrow(`its columns are nested more than ${DEPTH_MAX} levels deep`);
  for (const at of fields) {
    const field = at + metadata.readUInt32LE(at);
    const kindAt = fieldAt(metadata, field, FIELD.kind);
    if (kindAt !== null && metadata.readUInt8(kindAt) === UNION) throw notArrow("it has a column of unions");
    checkFields(metadata, field, { fields: FIELD.children, metadata: FIELD.metadata }, budget, depth + 1);
  }
}

/** Where a field of a table is; null if the table lacks it. */
function fieldAt(metadata: Buffer, table: number, field: number): number | null {
  const vtable = table - metadata.readInt32LE(table);
  // Before the fields, a vtable has its own size and that of the table, 16 bits each.
  const entry = 4 + 2 * field;
  const offset = entry < metadata.readUInt16LE(vtable) ? metadata.readUInt16LE(vtable + entry) : 0;
  return offset === 0 ? null : table + offset;
}

function tableAt(metadata: Buffer, table: number, field: number): number | null {
  const at = fieldAt(metadata, table, field);
  return at === null ? null : at + metadata.readUInt32LE(at);
}

/** Where the items of a vector are. */
function itemsAt(metadata: Buffer, table: number, field: number, itemBytes: number): number[] {
  const vector = tableAt(metadata, table, field);
  if (vector === null) return [];
  const count = metadata.readUInt32LE(vector);
  if (vector + 4 + count * itemBytes > metadata.length) throw notArrow("its metadata cannot be read");
  return Array.from({ length: count }, (_, item) => vector + 4 + item * itemBytes);
}

/** The error for a body that is not an Arrow IPC stream, or one that cannot be read here. */
export function notArrow(reason: string, cause?: unknown): AssayError {
  return new AssayError("invalid_request", {
    detail: `The body is not an Arrow IPC stream that can be read: ${reason}`,
    cause,
  });
}
