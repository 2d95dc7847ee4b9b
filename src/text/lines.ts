/** A line with its line feed. The last line may have no line feed. */
export interface SplitLine {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer;
}

export interface LineRules {
  /** Most bytes of a line, without its line feed. */
  readonly bytesMax: number;
  /** Makes the error for a line that is longer. */
  readonly tooLong: (number: number) => Error;
  /**
   * Counts the bytes that are held: `take` is called for each part of a line, and `give` for the whole line once the caller asks
   * for the next one. `take` may throw.
   */
  readonly memory?: { take(bytes: number): void; give(bytes: number): void };
  /** Leaves out most lines that are blank in JSON; they count. */
  readonly skipBlank?: boolean;
}

/** The lines of a stream of bytes. Only a line feed ends a line, so a text may contain U+2028 or U+0085. */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  { bytesMax, tooLong, memory, skipBlank = false }: LineRules,
): AsyncGenerator<SplitLine> {
  let number = 1;
  let parts: Uint8Array[] = [];
  let length = 0;

  function hold(part: Uint8Array, feeds: 0 | 1): void {
    parts.push(part);
    length += part.length;
    if (length - feeds > bytesMax) throw tooLong(number);
    memory?.take(part.length);
  }

  for await (const chunk of chunks) {
    let start = 0;
    for (;;) {
      if (skipBlank && length === 0) {
        // A chunk may be thousands of blank lines, each of which would cost as much as a line with a value.
        const blank = blankLines(chunk, start);
        number += blank.count;
        start = blank.end;
      }
      const end = chunk.indexOf(LINE_FEED, start);
      if (end === -1) break;
      hold(chunk.subarray(start, end + 1), 1);
      yield { number, bytes: Buffer.concat(parts) };
      memory?.give(length);
      number += 1;
      parts = [];
      length = 0;
      start = end + 1;
    }
    hold(chunk.subarray(start), 0);
  }
  if (length > 0) yield { number, bytes: Buffer.concat(parts) };
}

/** The number of blank lines at a place where a line begins, and where the last of them ends. */
function blankLines(chunk: Uint8Array, start: number): { readonly count: number; readonly end: number } {
  let count = 0;
  let end = start;
  for (let at = start; at < chunk.length && JSON_SPACE.includes(chunk[at] as number); at++) {
    if (chunk[at] !== LINE_FEED) continue;
    count += 1;
    end = at + 1;
  }
  return { count, end };
}

const LINE_FEED = 0x0a;
const JSON_SPACE = [0x20, 0x09, 0x0d, LINE_FEED];
