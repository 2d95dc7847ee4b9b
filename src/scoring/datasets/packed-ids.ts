/** Ids one after another in UTF-8: plain columns that pass between threads and take as little memory as the ids themselves. */
export interface PackedIds {
  readonly bytes: Uint8Array;
  /** (n) Where each id ends. */
  readonly ends: Uint32Array;
}

/** @param idAt gives the ids from 0 to count − 1 */
export function packIds(count: number, idAt: (index: number) => string): PackedIds {
  let bytes = Buffer.alloc(2 ** 12);
  const ends = new Uint32Array(count);
  let end = 0;
  for (let index = 0; index < count; index++) {
    const id = idAt(index);
    const length = Buffer.byteLength(id);
    if (end + length > bytes.length) {
      const larger = Buffer.alloc(Math.ceil((end + length) * 1.5));
      bytes.copy(larger, 0, 0, end);
      bytes = larger;
    }
    bytes.write(id, end);
    end += length;
    ends[index] = end;
  }
  return { bytes: new Uint8Array(bytes.subarray(0, end)), ends };
}

/** A function that gives the id at an index. */
export function packedIdAt({ bytes, ends }: PackedIds): (index: number) => string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (index) => buffer.toString("utf8", index === 0 ? 0 : ends[index - 1], ends[index]);
}
