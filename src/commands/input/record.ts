import { decimalOf } from "../option-values.js";
import { EXTRAS, type Target } from "./field-map.js";

/** What a record of a file says, by the fields of a sample; `put` throws a `RecordFault`. */
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
    if (extras.has(name)) throw new RecordFault(`extras.${name} comes twice`);
    // The schema's records leave it out without a word.
    if (name === "__proto__") throw new RecordFault(`an extra cannot be called ${name}`);
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

/** A value of JSON as the field takes it: true and false are labels, and an integer can be an id or a group. */
export function jsonValue(target: Target, value: unknown): unknown {
  if (target === "label" && typeof value === "boolean") return Number(value);
  if ((target !== "id" && target !== "group") || typeof value !== "number") return value;
  if (Number.isSafeInteger(value)) return String(value);
  throw new RecordFault(
    `${target} is the number ${value}; beyond whole numbers up to 2^53 write it as text, in quotes`,
  );
}

/** Cells that pandas, Excel and JSON write for true and false. */
const BOOLEANS: ReadonlyMap<string, number> = new Map([
  ...["true", "True", "TRUE"].map((text) => [text, 1] as const),
  ...["false", "False", "FALSE"].map((text) => [text, 0] as const),
]);

/** A cell as the field takes it; undefined where it is empty and so absent. A query and a document may be empty. */
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
  throw new RecordFault(`${target} must be ${wanted}, not ${shown}; an empty cell says that there is none`);
}

/** A list of numbers, as `assay score` writes one into a cell; undefined where the cell is none. */
function listOf(cell: string): unknown {
  if (!/^\[.*\]$/.test(cell)) return undefined;
  try {
    return JSON.parse(cell);
  } catch {
    return undefined;
  }
}
