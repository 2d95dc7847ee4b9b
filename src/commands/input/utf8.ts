import { isUtf8 } from "node:buffer";

/** The first byte of a text that is not UTF-8, and the character that it would begin, from 1. */
export interface Utf8Fault {
  readonly character: number;
  readonly byte: number;
}

/** Finds what a decoder would turn into U+FFFD without a word; null where all is UTF-8. */
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
