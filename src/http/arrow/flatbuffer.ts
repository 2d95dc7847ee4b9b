/**
 * Reads the tables of a flatbuffer that a client sent. A place that lies outside the bytes throws a `RangeError`.
 *
 * A vector or a text may be named in many places of a flatbuffer, so a few bytes can describe very much. Everything that is read
 * counts, and more than `READS` times the bytes throws too. No writer of Arrow comes near that.
 */
export interface Flatbuffer {
  readonly bytes: Buffer;
  /** Where the root table is. */
  readonly root: number;
  /** Where a field of a table is; null if the table lacks it. */
  fieldAt(table: number, field: number): number | null;
  /** Where the table is that a field names; null if the table lacks the field. */
  tableAt(table: number, field: number): number | null;
  /** Where the items of a vector are; none if the table lacks the field. */
  itemsAt(table: number, field: number, itemBytes: number): number[];
  /** Where the tables of a vector are. */
  tablesAt(table: number, field: number): number[];
  /** The number of bytes of a text; null if the table lacks it. The text is not decoded. */
  textBytes(table: number, field: number): number | null;
}

/** The bytes that are read in all, as a multiple of the bytes that there are. */
const READS = 4;

export function openFlatbuffer(bytes: Buffer): Flatbuffer {
  let left = READS * bytes.length;

  function fieldAt(table: number, field: number): number | null {
    const vtable = table - bytes.readInt32LE(table);
    // Before the fields, a vtable has its own size and that of the table, 16 bits each.
    const entry = 4 + 2 * field;
    const offset = entry < bytes.readUInt16LE(vtable) ? bytes.readUInt16LE(vtable + entry) : 0;
    return offset === 0 ? null : table + offset;
  }

  function tableAt(table: number, field: number): number | null {
    const at = fieldAt(table, field);
    return at === null ? null : at + bytes.readUInt32LE(at);
  }

  /** The first item of a vector and the number of items, which are all within the bytes. */
  function vectorAt(
    table: number,
    field: number,
    itemBytes: number,
  ): { start: number; count: number } | null {
    const vector = tableAt(table, field);
    if (vector === null) return null;
    const count = bytes.readUInt32LE(vector);
    const start = vector + 4;
    left -= 4 + count * itemBytes;
    if (start + count * itemBytes > bytes.length || left < 0)
      throw new RangeError("a vector is longer than the bytes");
    return { start, count };
  }

  function itemsAt(table: number, field: number, itemBytes: number): number[] {
    const { start, count } = vectorAt(table, field, itemBytes) ?? { start: 0, count: 0 };
    return Array.from({ length: count }, (_, item) => start + item * itemBytes);
  }

  return {
    bytes,
    root: bytes.readUInt32LE(0),
    fieldAt,
    tableAt,
    itemsAt,
    tablesAt: (table, field) => itemsAt(table, field, 4).map((at) => at + bytes.readUInt32LE(at)),
    textBytes: (table, field) => vectorAt(table, field, 1)?.count ?? null,
  };
}
