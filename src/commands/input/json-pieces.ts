import { AssayError } from "../../errors.js";
import {
  BACKSLASH,
  BLANKS,
  CLOSE_LIST,
  CLOSE_OBJECT,
  COMMA,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
} from "../../text/json-structure.js";
import { peek } from "./bytes.js";
import { type Piece, pieceOf, readLines, tooLong, withoutMark } from "./lines.js";

const LINE_FEED = 0x0a;

/** The JSON values of an input: the elements of a list if it begins with `[`, otherwise its lines, without blank ones. */
export async function* readJsonPieces(
  source: AsyncIterable<Buffer>,
  name: string,
  bytesMax: number,
): AsyncGenerator<Piece> {
  const { head, chunks } = await peek(source, (bytes) => firstByteOf(bytes) !== undefined);
  const pieces =
    firstByteOf(head) === OPEN_LIST
      ? readElements(chunks, name, bytesMax)
      : readLines(chunks, name, bytesMax);
  for await (const piece of pieces) if (piece.text.trim() !== "") yield piece;
}

/** The first byte that is neither a blank nor part of a byte order mark. */
export function firstByteOf(bytes: Buffer): number | undefined {
  const mark = bytes[0] === 0xef ? 3 : 0;
  return bytes.subarray(mark).find((byte) => !BLANKS.has(byte));
}

/** The elements of one list: the texts between its commas. It does not check whether they are JSON; their parser does. */
async function* readElements(
  chunks: AsyncIterable<Buffer>,
  name: string,
  bytesMax: number,
): AsyncGenerator<Piece> {
  let state: "before" | "inside" | "after" = "before";
  const at = { line: 1, character: 0 };
  let isFirst = true;
  // The state of the element that is being read.
  let depth = 0;
  let inString = false;
  let escaped = false;
  let begin: Omit<Piece, "text"> | null = null;
  let parts: Buffer[] = [];
  let length = 0;
  let elements = 0;

  function hold(part: Buffer): void {
    if (begin === null) return; // only blanks so far
    parts.push(part);
    length += part.length;
    if (length > bytesMax) throw tooLong(name, begin, "the element", bytesMax);
  }
  function taken(): Piece {
    if (begin === null) throw faultAt("expected an object");
    const piece = pieceOf(Buffer.concat(parts), name, begin);
    begin = null;
    parts = [];
    length = 0;
    elements += 1;
    return piece;
  }
  function faultAt(message: string): AssayError {
    const detail = `${name}, line ${at.line}, character ${at.character}: ${message}`;
    return new AssayError("input_invalid", { detail });
  }

  for await (const read of chunks) {
    const chunk = isFirst ? withoutMark(read, name) : read;
    isFirst = false;
    let start = 0;
    for (const [place, byte] of chunk.entries()) {
      advance(at, byte);
      if (inString) {
        inString = escaped || byte !== QUOTE;
        escaped = !escaped && byte === BACKSLASH;
      } else if (BLANKS.has(byte)) {
        // Skip blanks: those before an element are not part of it.
      } else if (state === "before") {
        state = "inside";
      } else if (state === "after") {
        throw faultAt("expected nothing after the list");
      } else if (depth === 0 && (byte === COMMA || byte === CLOSE_LIST)) {
        hold(chunk.subarray(start, place));
        const isEmptyList = byte === CLOSE_LIST && elements === 0 && begin === null;
        if (!isEmptyList) yield taken();
        if (byte === CLOSE_LIST) state = "after";
      } else {
        if (begin === null) {
          begin = { ...at };
          start = place;
        }
        inString = byte === QUOTE;
        if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth += 1;
        else if ((byte === CLOSE_LIST || byte === CLOSE_OBJECT) && depth > 0) depth -= 1;
      }
    }
    hold(chunk.subarray(start));
  }
  if (state === "inside") throw faultAt("the list is not closed");
}

/** Moves a place to the position of `byte`. A byte that continues a character has that character's position. */
function advance(at: { line: number; character: number }, byte: number): void {
  if (byte === LINE_FEED) {
    at.line += 1;
    at.character = 0;
  } else if ((byte & 0xc0) !== 0x80) at.character += 1;
}
