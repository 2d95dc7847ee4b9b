/** Limits of a JSON text. A limit that is left out does not apply. */
export interface JsonBounds {
  /** Most levels of nested lists and objects. */
  readonly depthMax?: number;
  /** Most names in one object. If it is given, no name may occur twice in an object or poison a prototype either. */
  readonly namesMax?: number;
  /** Most entries of one list. */
  readonly entriesMax?: number;
}

/** The first part of a text that exceeds a limit. */
export interface StructureFault {
  readonly kind: "depth" | "repeated" | "names" | "entries" | "poison";
  /** Index in the text: of the name that is refused, of what is one too many or too deep, or of the comma before it. */
  readonly at: number;
  /** Path of the list or object that holds too much, or of the part in it that is refused. */
  readonly place: readonly (string | number)[];
}

/** A list or object that has begun and not yet ended. */
interface Opened {
  readonly isList: boolean;
  /** In a list, the index of the present entry; in an object, the place of the last name's quote, -1 before the first name. */
  at: number;
  /**
   * Of a list: the names of the last object in it that was read name by name, each as `"name":`. Of an object: those of the list
   * that holds it. Most objects of a list have the same names in the same order, and names that have passed once pass again.
   */
  usual: readonly string[];
  /** Of an object: the number of its names that are the first of `usual`. */
  same: number;
  /** Of an object: its names so far; null while they are the first of `usual`, or if names are not bounded. */
  names: Names | null;
}

/** A list while there are few: it takes half the time of a set. */
type Names = string[] | Set<string>;

/**
 * Finds the first part of a text that exceeds a limit, without parsing it, because `JSON.parse` takes seconds for millions of
 * levels and keeps only the last of two equal names. Null if there is none. Text that is not JSON passes, because `JSON.parse`
 * comes next and says why.
 */
export function structureFault(
  text: string,
  { depthMax = Infinity, namesMax, entriesMax = Infinity }: JsonBounds,
): StructureFault | null {
  const opened: Opened[] = [];
  const fault = (kind: StructureFault["kind"], at: number, holders = opened): StructureFault => {
    return { kind, at, place: holders.map((one) => (one.isList ? one.at : nameAt(text, one.at))) };
  };
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    switch (code) {
      case QUOTE: {
        const inner = opened[opened.length - 1];
        if (inner === undefined || inner.isList) {
          at = endOfString(text, at);
          break;
        }
        const usual = inner.names === null ? inner.usual[inner.same] : undefined;
        if (usual !== undefined && text.slice(at, at + usual.length) === usual) {
          inner.at = at;
          inner.same++;
          at += usual.length - 1;
        } else {
          const end = endOfString(text, at);
          const colon = skipBlanks(text, end + 1);
          if (text.charCodeAt(colon) !== COLON) {
            at = end; // not JSON
            break;
          }
          inner.at = at;
          if (namesMax !== undefined) {
            const name = nameBetween(text, at, end);
            const names = namesOf(inner);
            if (hasName(names, name)) return fault("repeated", at);
            if (sizeOf(names) === namesMax) return fault("names", at, opened.slice(0, -1));
            if (poisons(name, text, opened)) return fault("poison", at);
            inner.names = withName(names, name);
          }
          at = colon;
        }
        // A string after the colon is the value: the next name comes after it.
        const value = skipBlanks(text, at + 1);
        if (text.charCodeAt(value) === QUOTE) at = endOfString(text, value);
        break;
      }
      case OPEN_OBJECT:
      case OPEN_LIST: {
        if (opened.length === depthMax) return fault("depth", at);
        const isList = code === OPEN_LIST;
        const holder = opened[opened.length - 1];
        const usual = !isList && holder?.isList ? holder.usual : NO_NAMES;
        opened.push({ isList, at: isList ? 0 : -1, usual, same: 0, names: null });
        break;
      }
      case CLOSE_OBJECT:
      case CLOSE_LIST: {
        const closed = opened.pop();
        const holder = opened[opened.length - 1];
        if (holder?.isList && Array.isArray(closed?.names)) holder.usual = closed.names.map(spelled);
        break;
      }
      case COMMA: {
        const inner = opened[opened.length - 1];
        if (inner?.isList && ++inner.at >= entriesMax) return fault("entries", at, opened.slice(0, -1));
        break;
      }
    }
  }
  return null;
}

/** Names of an object that are searched as a list. */
const LISTED_MAX = 16;

const NO_NAMES: readonly string[] = [];

/** A name as most texts spell it. */
function spelled(name: string): string {
  return `${JSON.stringify(name)}:`;
}

/** The names of an object so far. */
function namesOf({ names, usual, same }: Opened): Names {
  return names ?? usual.slice(0, same).map((name) => String(JSON.parse(name.slice(0, -1))));
}

function hasName(names: Names, name: string): boolean {
  return names instanceof Set ? names.has(name) : names.includes(name);
}

function sizeOf(names: Names): number {
  return names instanceof Set ? names.size : names.length;
}

function withName(names: Names, name: string): Names {
  if (names instanceof Set) return names.add(name);
  if (names.length === LISTED_MAX) return new Set(names).add(name);
  names.push(name);
  return names;
}

/** Whether code that copies the innermost object by name would change the prototype of the copy, or of all objects. */
function poisons(name: string, text: string, opened: readonly Opened[]): boolean {
  if (name === "__proto__") return true;
  const holder = opened[opened.length - 2];
  return (
    name === "prototype" &&
    holder !== undefined &&
    !holder.isList &&
    nameAt(text, holder.at) === "constructor"
  );
}

/** The name whose quote is at `start`; "" before an object's first name. */
function nameAt(text: string, start: number): string {
  return start < 0 ? "" : nameBetween(text, start, endOfString(text, start));
}

function nameBetween(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  if (!raw.includes("\\")) return raw;
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    return raw; // JSON.parse will refuse the whole text because of it
  }
}

/** The JSON pointer (RFC 6901) of a place. */
export function pointerOf(place: readonly PropertyKey[]): string {
  return place.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Index of the quote that ends the string which begins at `start`; the text's length if no quote ends it. */
export function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}

/** Index of the first character from `from` on that is not a blank. */
export function skipBlanks(text: string, from: number): number {
  let at = from;
  while (text.charCodeAt(at) <= SPACE && BLANKS.has(text.charCodeAt(at))) at++;
  return at;
}

// The signs of JSON. Their code units in a text and their bytes in UTF-8 are the same numbers.
export const QUOTE = 0x22;
export const COMMA = 0x2c;
const COLON = 0x3a;
export const OPEN_LIST = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSE_LIST = 0x5d;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;
export const BLANKS: ReadonlySet<number> = new Set([SPACE, 0x09, 0x0a, 0x0d]);
