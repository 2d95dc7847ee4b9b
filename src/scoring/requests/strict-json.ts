import { type AssayError, faultsError, messageOf } from "../../errors.js";
import { pointerOf, type StructureFault, structureFault } from "../../text/json-structure.js";

/** Names in one object: more than any request has, few enough that the faults of all of them can be told. */
const NAMES_MAX = 1024;
/** Lists and objects within one another: a sample's extras in a list in a body, or a part of a mix. V8 takes seconds for millions. */
const DEPTH_MAX = 4;
/** Entries of a list of a sample or of anything but samples and ids: probabilities of as many classes as a model may have. */
const ENTRIES_MAX = 1024;

/**
 * The value of a JSON text. Throws `invalid_json` where it is none, or one that readers of JSON disagree about or that costs more to
 * read than it can be worth: a name that occurs twice in an object (JSON.parse takes the last), one that poisons a prototype,
 * more than `NAMES_MAX` names in an object, `DEPTH_MAX` levels, or `entriesMax` entries of a list. The text is not quoted.
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
      { path: "", message: `is not JSON that is read: ${reasonOf(cause)}` },
    ]);
  }
}

/** V8's reason without the part of the text that it quotes. */
function reasonOf(cause: unknown): string {
  const message = messageOf(cause);
  const [, reason = message] = /^(.*?),? ?(?:\.{3})?".*"(?:\.{3})? is not valid JSON$/s.exec(message) ?? [];
  return reason || "There is no JSON value";
}

function structureError({ kind, place }: StructureFault, entriesMax: number): AssayError {
  const messages = {
    repeated: "occurs twice: leave one out",
    poison: "would change the prototype of an object: leave it out",
    names: `has more than ${NAMES_MAX} names`,
    depth: `is more than ${DEPTH_MAX} levels deep`,
    entries: `has more than ${entriesMax} entries`,
  };
  return faultsError("invalid_json", [{ path: pointerOf(place), message: messages[kind] }]);
}
