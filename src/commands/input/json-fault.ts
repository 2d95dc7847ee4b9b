import { endOfString, skipBlanks, structureFault } from "../../text/json-structure.js";

/** What is wrong in a JSON text, and the index in it. */
export interface JsonFault {
  readonly at: number;
  readonly message: string;
}

/**
 * Parses JSON in which no object has a key twice, of which `JSON.parse` takes the last without a word, or one that changes a
 * prototype. Answers the value, or
 * the first fault: of its syntax, or else of its keys. Messages quote keys alone, for the values are texts of samples.
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
  const why = fault.kind === "poison" ? "would change the prototype of an object" : "comes twice";
  return { at: fault.at, message: `the key ${JSON.stringify(fault.place.at(-1))} ${why}` };
}

/** A number, true, false or null, as RFC 8259 writes them. */
const SCALAR = /(-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;

/** Objects in objects beyond this are no sample; the bound keeps the search off the stack's end. */
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

/** The index after the value that begins at `from`, blanks before it left out. Throws what it finds. */
function skipValue(text: string, from: number, depth: number): number {
  const at = skipBlanks(text, from);
  if (depth > DEPTH_MAX) throw new Found({ at, message: `is nested more than ${DEPTH_MAX} levels` });
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

/** The index after the next sign, which must be one of `signs`. */
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
  // Two letters in place of an escaped backslash, so that it does not escape what follows.
  const inner = text.slice(open + 1, close).replaceAll("\\\\", "__");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows none of them in a string
  const fault = /[\u0000-\u001f]|\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(inner);
  if (fault === null) return close + 1;
  const message =
    fault[0] === "\\" ? "is no escape of JSON" : "a control character must be written as an escape";
  throw new Found({ at: open + 1 + fault.index, message });
}
