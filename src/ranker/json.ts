/** Levels of arrays and objects inside each other: a tokeniser's file has ten. Beyond thousands, what walks a value overflows the stack. */
const DEPTH_MAX = 64;

/** JSON from outside that is not taken. */
export class JsonFault extends Error {
  constructor(
    /** Of the member of the outermost object that the fault lies in, where it is known; "" is the whole. */
    readonly path: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The value of JSON in UTF-8. Throws `JsonFault`, also for one that is nested deeper than 64 levels: it is found before anything
 * is parsed, because the parser takes 17 s for ten million levels, in one go.
 */
export function parseJson(bytes: Uint8Array): unknown {
  refuseDepth(bytes);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new JsonFault("", `is not JSON: ${(cause as Error).message}`);
  }
}

const [QUOTE, BACKSLASH, OPEN, CLOSE] = [0x22, 0x5c, [0x5b, 0x7b], [0x5d, 0x7d]];

function refuseDepth(bytes: Uint8Array): void {
  let depth = 0;
  /** The last string of the outermost level: when something opens after it, it is a key. */
  let key: Uint8Array | null = null;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      const from = at + 1;
      at = endOfString(bytes, from);
      if (depth === 1) key = bytes.subarray(from, at);
    } else if (OPEN.includes(byte)) {
      depth += 1;
      if (depth > DEPTH_MAX) {
        const path = key === null ? "" : `/${new TextDecoder().decode(key)}`;
        throw new JsonFault(path, `is nested deeper than ${DEPTH_MAX} levels`);
      }
    } else if (CLOSE.includes(byte)) depth -= 1;
  }
}

/** Where the quote stands that ends a string. */
function endOfString(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] === BACKSLASH) at += 1;
    else if (bytes[at] === QUOTE) return at;
  }
  return bytes.length;
}
