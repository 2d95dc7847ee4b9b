import { endOfString } from "../../scoring/requests/strict-json.js";

/** What is wrong in a JSON text, and the index in it. */
export interface JsonFault {
  readonly at: number;
  readonly message: string;
}

/**
 * Parses JSON in which no object has a key twice: `JSON.parse` takes the last of them without a word. Answers the value, or
 * the first fault. Messages quote keys alone, for the values are texts of samples.
 */
export function parseJson(text: string): { readonly value: unknown } | { readonly fault: JsonFault } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: findFault(text) };
  }
  return keysWritten(text) === keysHeld(value) ? { value } : { fault: findFault(text) };
}

/** How many keys a valid JSON text writes: strings before a colon. */
function keysWritten(text: string): number {
  let keys = 0;
  for (let open = text.indexOf('"'); open !== -1; ) {
    const after = stringEnd(text, open);
    keys += text[skipBlanks(text, after)] === ":" ? 1 : 0;
    open = text.indexOf('"', after);
  }
  return keys;
}

/** How many keys the objects of a value have. */
function keysHeld(value: unknown): number {
  let keys = 0;
  const left: unknown[] = [value];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (typeof next !== "object" || next === null) continue;
    const inner: unknown[] = Object.values(next);
    if (!Array.isArray(next)) keys += inner.length;
    for (const one of inner) left.push(one);
  }
  return keys;
}

/** The index after the string that opens at `open`; 0 where nothing closes it. */
function stringEnd(text: string, open: number): number {
  const close = endOfString(text, open);
  return close === text.length ? 0 : close + 1;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t" || text[at] === "\n" || text[at] === "\r") at += 1;
  return at;
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

/** The first fault of a text that `JSON.parse` refuses, or that writes a key twice. */
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
  const keys = new Set<unknown>();
  let at = skipBlanks(text, open + 1);
  if (text[at] === "}") return at + 1;
  for (;;) {
    if (text[at] !== '"') throw new Found({ at, message: "expected a key in double quotes" });
    const after = skipString(text, at);
    const key: unknown = JSON.parse(text.slice(at, after));
    if (keys.has(key)) throw new Found({ at, message: `the key ${JSON.stringify(key)} comes twice` });
    keys.add(key);
    at = expectOne(text, after, ":", "expected a colon");
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
  const after = stringEnd(text, open);
  if (after === 0) throw new Found({ at: open, message: "the string that begins here is not closed" });
  // Two letters in place of an escaped backslash, so that it does not escape what follows.
  const inner = text.slice(open + 1, after - 1).replaceAll("\\\\", "__");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows none of them in a string
  const fault = /[\u0000-\u001f]|\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(inner);
  if (fault === null) return after;
  const message =
    fault[0] === "\\" ? "is no escape of JSON" : "a control character must be written as an escape";
  throw new Found({ at: open + 1 + fault.index, message });
}
