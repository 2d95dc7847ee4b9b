import { decimalOf } from "../../text/decimal.js";
import { EXTRAS, type Target } from "./field-map.js";

/** A record of a file, as the fields of a sample. `put` throws a `RecordFault` if the value does not fit. */
export interface SampleRecord {
  put(target: Target, value: unknown): void;
  readonly value: { readonly [field: string]: unknown };
}

/** What is wrong with a field of a record, without its place. */
export class RecordFault extends Error {}

/** A record without fields. */
export function createRecord(): SampleRecord {
  const fields = new Map<string, unknown>();
  const extras = new Map<string, unknown>();

  function putExtra(name: string, value: unknown): void {
    if (extras.has(name)) throw new RecordFault(`extras.${name} occurs twice`);
    // Refuse this name here, because the schema would silently drop it.
    if (name === "__proto__") throw new RecordFault(`an extra cannot be named ${name}`);
    extras.set(name, value);
  }

  return {
    put(target, value) {
      if (target.startsWith(EXTRAS)) putExtra(target.slice(EXTRAS.length), value);
      else if (target === "extras" && typeof value === "object" && value !== null && !Array.isArray(value))
        for (const [name, extra] of Object.entries(value)) putExtra(name, extra);
      else fields.set(target, value);
    },
    get value() {
      if (extras.size > 0) fields.set("extras", Object.fromEntries(extras));
      return Object.fromEntries(fields);
    },
  };
}

/** The fields that name something, which many files do by numbers. */
const NAMES: ReadonlySet<Target> = new Set(["id", "group", "source"]);

/** A JSON value as the field takes it. True and false become the labels 1 and 0, and a whole number can be a name. */
export function jsonValue(target: Target, value: unknown): unknown {
  if (target === "label" && typeof value === "boolean") return Number(value);
  if (!NAMES.has(target) || typeof value !== "number") return value;
  if (Number.isSafeInteger(value)) return String(value);
  throw new RecordFault(
    `${target} is the number ${value}, but only whole numbers up to 2^53 are taken: write it as text, in quotes`,
  );
}

/** The cells that pandas, Excel and JSON write for true and false. */
const BOOLEANS: ReadonlyMap<string, number> = new Map([
  ...["true", "True", "TRUE"].map((text) => [text, 1] as const),
  ...["false", "False", "FALSE"].map((text) => [text, 0] as const),
]);

/** A cell as the field takes it. An empty cell is absent (undefined), but a query or a document may be empty. */
export function cellValue(target: Target, cell: string): unknown {
  if (target === "query" || target === "document") return cell;
  if (cell === "") return undefined;
  if (target === "label") return BOOLEANS.get(cell) ?? listOf(cell) ?? numberOf(target, cell, LABEL_FORMS);
  if (target === "reference_loss" || target.startsWith(EXTRAS)) return numberOf(target, cell, "a number");
  return cell;
}

const LABEL_FORMS = "a number, true or false, or a list such as [0.2,0.8]";

function numberOf(target: Target, cell: string, wanted: string): number {
  const value = decimalOf(cell);
  if (value !== null) return value;
  const shown = JSON.stringify(cell.length > 40 ? `${cell.slice(0, 40)}…` : cell);
  throw new RecordFault(`${target} must be ${wanted}, not ${shown}; leave the cell empty if there is none`);
}

/** A list of numbers, in the form in which `assay score` writes it into a cell; undefined if the cell holds no list. */
function listOf(cell: string): unknown {
  if (!/^\[.*\]$/.test(cell)) return undefined;
  try {
    return JSON.parse(cell);
  } catch {
    return undefined;
  }
}
