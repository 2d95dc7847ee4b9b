import { endOfString, skipBlanks, structureFault } from "../../text/json-structure.js";

/** What is wrong in a JSON text, and at which index. */
export interface JsonFault {
  readonly at: number;
  readonly message: string;
}

/**
 * Parses JSON and refuses an object that has a key twice, of which `JSON.parse` would silently take the last, or a key that changes a
 * prototype. Returns the value or the first fault: of the syntax, or else of the keys. Messages quote only keys, because values
 * are the texts of samples.
 */
export function parseJson(text: string): { readonly value: unknown } | { readonly fault: JsonFault } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: findFault(text) };
  }
  const fault = refusedKey(text);
  return fault === null ? { value } : { fault };
}

function refusedKey(text: string): JsonFault | null {
  const fault = structureFault(text, { namesMax: Infinity });
  if (fault === null) return null;
  const why = fault.kind === "poison" ? "would change the prototype of an object" : "occurs twice";
  return { at: fault.at, message: `the key ${JSON.stringify(fault.place.at(-1))} ${why}` };
}

/** A number, true, false or null, as RFC 8259 writes them. */
const SCALAR = /(-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;

/** Most levels of objects and lists, more than any sample has. The bound protects the recursive search from a stack overflow. */
const DEPTH_MAX = 100;

class Found extends Error {
  constructor(readonly fault: JsonFault) {
    super(fault.message);
  }
}

/** The first fault of a text that `JSON.parse` refuses. */
function findFault(text: string): JsonFault {
  try {
    const end = skipBlanks(text, skipValue(text, 0, 0));
    return { at: end, message: "expected nothing after the value" };
  } catch (error) {
    if (error instanceof Found) return error.fault;
    throw error;
  }
}

/** Skips blanks and one value from `from` on, and returns the index after it. Throws the fault that it finds. */
function skipValue(text: string, from: number, depth: number): number {
  const at = skipBlanks(text, from);
  if (depth > DEPTH_MAX)
    throw new Found({ at, message: `values are nested more than ${DEPTH_MAX} levels deep` });
  switch (text[at]) {
    case "{":
      return skipObject(text, at, depth);
    case "[":
      return skipList(text, at, depth);
    case '"':
      return skipString(text, at);
  }
  SCALAR.lastIndex = at;
  if (SCALAR.test(text)) return SCALAR.lastIndex;
  throw new Found({ at, message: at === text.length ? "the value is cut off" : "expected a value" });
}

function skipObject(text: string, open: number, depth: number): number {
  let at = skipBlanks(text, open + 1);
  if (text[at] === "}") return at + 1;
  for (;;) {
    if (text[at] !== '"') throw new Found({ at, message: "expected a key in double quotes" });
    at = expectOne(text, skipString(text, at), ":", "expected a colon");
    at = expectOne(text, skipValue(text, at, depth + 1), ",}", "expected a comma or }");
    if (text[at - 1] === "}") return at;
    at = skipBlanks(text, at);
  }
}

function skipList(text: string, open: number, depth: number): number {
  let at = skipBlanks(text, open + 1);
  if (text[at] === "]") return at + 1;
  for (;;) {
    at = expectOne(text, skipValue(text, at, depth + 1), ",]", "expected a comma or ]");
    if (text[at - 1] === "]") return at;
  }
}

/** Skips blanks and the next character, which must be one of `signs`, and returns the index after it. */
function expectOne(text: string, from: number, signs: string, message: string): number {
  const at = skipBlanks(text, from);
  const sign = text[at];
  if (sign === undefined) throw new Found({ at, message: "the value is cut off" });
  if (!signs.includes(sign)) throw new Found({ at, message });
  return at + 1;
}

function skipString(text: string, open: number): number {
  const close = endOfString(text, open);
  if (close === text.length)
    throw new Found({ at: open, message: "the string that begins here is not closed" });
  // Replace each escaped backslash by two letters, so that its second half does not look like the start of an escape.
  const inner = text.slice(open + 1, close).replaceAll("\\\\", "__");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows none of them in a string
  const fault = /[\u0000-\u001f]|\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(inner);
  if (fault === null) return close + 1;
  const message =
    fault[0] === "\\"
      ? "the escape that begins here is not valid in JSON"
      : "a control character must be written as an escape";
  throw new Found({ at: open + 1 + fault.index, message });
}
