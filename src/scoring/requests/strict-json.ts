import { type AssayError, faultsError, messageOf } from "../../errors.js";
import { pointerOf, type StructureFault, structureFault } from "../../text/json-structure.js";

/** Most names in one object: more than any request has, but few enough to report the faults of all of them. */
const NAMES_MAX = 1024;
/**
 * Most levels of lists and objects. The deepest are a sample's extras in the list of a body, and a part of a mix. V8 needs
 * seconds for millions of levels.
 */
const DEPTH_MAX = 4;
/** What is wrong with the name `__proto__`. */
export const POISON = "would change the prototype of an object: leave it out";
/** Most entries of a list, unless a schema admits more: a label has as many probabilities as a model may have classes. */
const ENTRIES_MAX = 1024;

/**
 * The value of a JSON text. Throws `invalid_json` if the text is not JSON, if parsers would read it differently (a name that
 * occurs twice in an object, of which JSON.parse takes the last), if a name poisons a prototype, or if it would cost too much to
 * read: more than `NAMES_MAX` names in an object or `DEPTH_MAX` levels. Throws `invalid_request`, as a schema does, for more than
 * `entriesMax` entries in a list. The error does not quote the text.
 *
 * @param entriesMax of the longest list that the schema admits; at least 1,024 are read
 */
export function parseStrictJson(text: string, entriesMax = ENTRIES_MAX): unknown {
  const bounds = { depthMax: DEPTH_MAX, namesMax: NAMES_MAX, entriesMax: Math.max(entriesMax, ENTRIES_MAX) };
  const fault = structureFault(text, bounds);
  if (fault !== null) throw structureError(fault, bounds.entriesMax);
  try {
    // RFC 8259 lets a reader ignore a byte order mark.
    return JSON.parse(text.startsWith("\ufeff") ? text.slice(1) : text);
  } catch (cause) {
    throw faultsError("invalid_json", [
      { path: "", message: `is not JSON that can be read: ${reasonOf(cause)}` },
    ]);
  }
}

/** V8's reason, without the quoted part of the text. */
function reasonOf(cause: unknown): string {
  const message = messageOf(cause);
  const [, reason = message] = /^(.*?),? ?(?:\.{3})?".*"(?:\.{3})? is not valid JSON$/s.exec(message) ?? [];
  return reason || "There is no JSON value";
}

function structureError({ kind, place }: StructureFault, entriesMax: number): AssayError {
  const messages = {
    repeated: "occurs twice in one object: leave one out",
    poison: POISON,
    names: `has more than ${NAMES_MAX} names`,
    depth: `is more than ${DEPTH_MAX} levels deep`,
    entries: `must have at most ${entriesMax} entries`,
  };
  return faultsError(kind === "entries" ? "invalid_request" : "invalid_json", [
    { path: pointerOf(place), message: messages[kind] },
  ]);
}
