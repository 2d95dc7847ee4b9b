/**
 * The beginning of an entry `location` of a tensor's `external_data` in an ONNX file (onnx.proto, StringStringEntryProto): the
 * field `key`, then the tag of the field `value`. The value's length follows.
 */
const MARK = Buffer.from("\x0a\x08location\x12", "latin1");
/** Most bytes of a file's name together with the length before it. */
const VALUE_BYTES_MAX = 258;

/** Collects the names of the files in which a graph's tensors lie. It reads the graph's bytes chunk by chunk. */
export function createLocations(): { add(chunk: Uint8Array): void; found(): ReadonlySet<string> } {
  const locations = new Set<string>();
  /** The end of the previous chunks, in which a mark may have begun. */
  let rest: Buffer = Buffer.alloc(0);

  function search(bytes: Buffer, before: number): number {
    let at = bytes.indexOf(MARK);
    while (at >= 0 && at < before) {
      const location = valueAt(bytes, at + MARK.length);
      if (location !== null) locations.add(location);
      at = bytes.indexOf(MARK, at + 1);
    }
    return before;
  }

  return {
    add(chunk) {
      const bytes = Buffer.concat([rest, chunk]);
      // A mark near the end is kept, because its value may continue in the next chunk.
      rest = bytes.subarray(search(bytes, Math.max(0, bytes.length - MARK.length - VALUE_BYTES_MAX)));
    },
    found() {
      search(rest, rest.length);
      return locations;
    },
  };
}

/** Reads a length of one or two bytes (a varint), then as many bytes of UTF-8. Null if the bytes only look like a mark. */
function valueAt(bytes: Buffer, at: number): string | null {
  const low = bytes[at] ?? 0;
  const isLong = low >= 0x80;
  const length = isLong ? (low & 0x7f) + (bytes[at + 1] ?? 0) * 0x80 : low;
  const from = at + (isLong ? 2 : 1);
  if (length === 0 || length >= VALUE_BYTES_MAX || from + length > bytes.length) return null;
  return bytes.toString("utf8", from, from + length);
}
