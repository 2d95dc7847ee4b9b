import { AssayError } from "../../errors.js";
import { splitLines } from "../../text/lines.js";
import { utf8FaultOf } from "./utf8.js";

/** A piece of an input: a line, or an element of a list. */
export interface Piece {
  readonly text: string;
  /** Line and character at which it begins; both count from 1. */
  readonly line: number;
  readonly character: number;
}

const BYTE_ORDER_MARK = Buffer.from("\uFEFF");
const UTF_16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

/**
 * The lines of an input, each with its line feed. A byte order mark is left out. Throws `input_invalid` if a line is not UTF-8 or
 * is longer than `bytesMax`.
 */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  name: string,
  bytesMax: number,
): AsyncGenerator<Piece> {
  const tooLongAt = (line: number): AssayError => tooLong(name, { line, character: 1 }, "The line", bytesMax);
  for await (const { number: line, bytes } of splitLines(chunks, { bytesMax, tooLong: tooLongAt }))
    yield pieceOf(line === 1 ? withoutMark(bytes, name) : bytes, name, { line, character: 1 });
}

/** Bytes as text. Throws `input_invalid` with the place of the first byte that is not UTF-8. */
export function pieceOf(bytes: Buffer, name: string, begin: Omit<Piece, "text">): Piece {
  const fault = utf8FaultOf(bytes);
  if (fault === null) return { text: bytes.toString("utf8"), ...begin };
  const { line, character } = placeIn(begin, bytes.toString("utf8"), fault.character - 1);
  const byte = fault.byte.toString(16).toUpperCase().padStart(2, "0");
  throw new AssayError("input_invalid", {
    detail: `${name}, line ${line}, character ${character}: the byte ${byte} is not UTF-8. Save the file as UTF-8`,
  });
}

/** The place of the character of `text` that has `characters` others before it, if the text begins at `begin`. */
export function placeIn(
  { line, character }: Omit<Piece, "text">,
  text: string,
  characters: number,
): Omit<Piece, "text"> {
  const before = [...text].slice(0, characters);
  const lastFeed = before.lastIndexOf("\n");
  if (lastFeed === -1) return { line, character: character + characters };
  return {
    line: line + before.filter((symbol) => symbol === "\n").length,
    character: characters - lastFeed,
  };
}

export function tooLong(
  name: string,
  { line }: Omit<Piece, "text">,
  what: string,
  bytesMax: number,
): AssayError {
  return new AssayError("input_invalid", {
    detail: `${name}, line ${line}: ${what} is longer than ${bytesMax} bytes (ASSAY_BODY_BYTES_MAX)`,
  });
}

/** The bytes without a byte order mark. Throws `input_invalid` if the mark is that of UTF-16. */
export function withoutMark(bytes: Buffer, name: string): Buffer {
  if (UTF_16_MARKS.some((mark) => bytes.subarray(0, mark.length).equals(mark)))
    throw new AssayError("input_invalid", { detail: `${name} is UTF-16. Save the file as UTF-8` });
  const hasMark = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
  return hasMark ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes;
}
