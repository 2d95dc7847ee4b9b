/** About how many bytes of memory plain values take: numbers, texts, typed arrays, and lists and objects of them. */
export function bytesOf(value: unknown): number {
  if (typeof value === "string") return STRING_BYTES + value.length;
  if (typeof value !== "object" || value === null) return NUMBER_BYTES;
  if (ArrayBuffer.isView(value)) return OBJECT_BYTES + value.byteLength;
  let bytes = OBJECT_BYTES;
  for (const part of Array.isArray(value) ? value : Object.values(value)) bytes += bytesOf(part);
  return bytes;
}

const NUMBER_BYTES = 8;
const STRING_BYTES = 24;
const OBJECT_BYTES = 64;
