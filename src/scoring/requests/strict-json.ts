import { parse } from "secure-json-parse";
import { type AssayError, type Fault, faultsError } from "../../errors.js";

/** Names in one object: more than any request has, few enough that the faults of all of them can be told. */
const NAMES_MAX = 1024;
/** Lists and objects within one another: a sample's extras in a list in a body, or a part of a mix. V8 takes seconds for millions. */
const DEPTH_MAX = 4;
/** Entries of a list of a sample or of anything but samples and ids: probabilities of as many classes as a model may have. */
const ENTRIES_MAX = 1024;

/**
 * The value of a JSON text. Throws `invalid_json` where it is none, or one that readers of JSON disagree about or that costs more to
 * read than it can be worth: a name that stands twice in an object (JSON.parse takes the last), one that poisons a prototype,
 * more than `NAMES_MAX` names in an object, `DEPTH_MAX` levels, or `entriesMax` entries of a list. The text is not quoted.
 */
export function parseStrictJson(text: string, entriesMax = ENTRIES_MAX): unknown {
  checkStructure(text, Math.max(entriesMax, ENTRIES_MAX));
  try {
    return parse(text, null, { protoAction: "error", constructorAction: "error" });
  } catch (cause) {
    throw faultsError("invalid_json", [
      { path: "", message: `is not JSON that is read: ${reasonOf(cause)}` },
    ]);
  }
}

/** V8's reason without the part of the text that it quotes. */
function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  const [, reason = message] = /^(.*?),? ?(?:\.{3})?".*"(?:\.{3})? is not valid JSON$/s.exec(message) ?? [];
  return reason || "There is no JSON value";
}

/** A list or object that has begun, and the place in it that was reached. */
interface Opened {
  /** Names so far; null of a list. */
  readonly names: Set<string> | null;
  at: string | number;
}

/** Throws where the structure is refused. What is no JSON passes: JSON.parse, which comes next, says why. */
function checkStructure(text: string, entriesMax: number): void {
  const opened: Opened[] = [];
  for (let at = 0; at < text.length; at++) {
    const inner = opened.at(-1);
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        if (inner !== undefined && inner.names !== null && isName(text, end)) {
          inner.at = nameOf(text, at, end);
          if (inner.names.has(inner.at)) throw refusal(opened, "stands twice: leave one out");
          if (inner.names.size === NAMES_MAX) {
            opened.pop();
            throw refusal(opened, `has more than ${NAMES_MAX} names`);
          }
          inner.names.add(inner.at);
        }
        at = end;
        break;
      }
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (opened.length === DEPTH_MAX) throw refusal(opened, `is more than ${DEPTH_MAX} levels deep`);
        opened.push(
          text.charCodeAt(at) === OPEN_BRACE ? { names: new Set(), at: "" } : { names: null, at: 0 },
        );
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        opened.pop();
        break;
      case COMMA:
        if (typeof inner?.at === "number" && ++inner.at >= entriesMax) {
          opened.pop();
          throw refusal(opened, `has more than ${entriesMax} entries`);
        }
        break;
    }
  }
}

function refusal(opened: readonly Opened[], message: string): AssayError {
  const fault: Fault = { path: pointerOf(opened.map(({ at }) => at)), message };
  return faultsError("invalid_json", [fault]);
}

/** The JSON pointer (RFC 6901) of a place. */
export function pointerOf(place: readonly PropertyKey[]): string {
  return place.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Index of the quote that ends the string which begins at `start`; the text's length where none does. */
export function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}

function isName(text: string, end: number): boolean {
  let next = end + 1;
  while (BLANKS.has(text.charCodeAt(next))) next++;
  return text.charCodeAt(next) === COLON;
}

function nameOf(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  if (!raw.includes("\\")) return raw;
  try {
    return JSON.parse(`"${raw}"`) as string;
  } catch {
    return raw; // JSON.parse refuses the whole text for it
  }
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
