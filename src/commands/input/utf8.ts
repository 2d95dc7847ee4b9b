import { isUtf8 } from "node:buffer";

/** The first byte of a text that is not UTF-8, and the number of the character that it would begin, counted from 1. */
export interface Utf8Fault {
  readonly character: number;
  readonly byte: number;
}

/** Finds the first byte that a decoder would silently turn into U+FFFD; null if all bytes are UTF-8. */
export function utf8FaultOf(bytes: Buffer): Utf8Fault | null {
  if (isUtf8(bytes)) return null;
  let at = 0;
  let character = 0;
  for (const decoded of bytes.toString("utf8")) {
    character += 1;
    if (decoded === "\uFFFD" && !bytes.subarray(at, at + REPLACEMENT.length).equals(REPLACEMENT)) break;
    at += Buffer.byteLength(decoded);
  }
  return { character, byte: bytes[at] ?? 0 };
}

const REPLACEMENT = Buffer.from("\uFFFD");
