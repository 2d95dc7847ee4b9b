import { InvalidArgumentError } from "commander";
import { decimalOf } from "../option-values.js";
import type { OutputRow } from "./rows.js";

/** A field that holds numbers, and the way it runs. */
export interface SortKey {
  readonly field: string;
  readonly descending: boolean;
}

/** Rows by the first key, equal ones by the next. Rows without a number come last, equal ones in the order of the file. */
export type Sorting = readonly SortKey[];

/** The first rows alone: so many, or a share of all. */
export type Top = { readonly rows: number } | { readonly share: number };

/** `loss` or `-loss`, or several: `-label,-loss`. */
export function sortingOf(text: string): Sorting {
  return text.split(",").map((key) => ({ field: key.replace(/^-/, ""), descending: key.startsWith("-") }));
}

/** `100` or `5%`. */
export function topOf(text: string): Top {
  const value = decimalOf(text.replace(/%$/, ""));
  if (text.endsWith("%") && value !== null && value > 0 && value <= 100) return { share: value / 100 };
  if (value !== null && Number.isSafeInteger(value) && value > 0 && /^\d+$/.test(text))
    return { rows: value };
  throw new InvalidArgumentError("It must be a number of rows, such as 100, or a share of them, such as 5%.");
}

/** How many rows of `total` are the top; at least one. */
export function rowsOf(top: Top, total: number): number {
  return "rows" in top ? top.rows : Math.ceil(top.share * total);
}

/** Collects rows and answers the first `limit` in order, holding no more than twice as many. */
export interface Sorter {
  add(rows: readonly OutputRow[]): void;
  sorted(): OutputRow[];
}

/** `sorting` null: in the order in which they were added. */
export function createSorter(sorting: Sorting | null, limit: number): Sorter {
  let held: OutputRow[] = [];
  function order(): void {
    held = (sorting === null ? held : sortRows(held, sorting)).slice(0, limit);
  }
  return {
    add(rows) {
      for (const row of rows) held.push(row);
      if (held.length > 2 * limit) order();
    },
    sorted() {
      order();
      return held;
    },
  };
}

export function sortRows(rows: readonly OutputRow[], sorting: Sorting): OutputRow[] {
  const keyed = rows.map((row) => ({ row, keys: sorting.map((key) => numberAt(row, key)) }));
  keyed.sort((a, b) => {
    for (const [index, key] of a.keys.entries()) {
      const other = b.keys[index] ?? key;
      if (key !== other) return key < other ? -1 : 1;
    }
    return 0;
  });
  return keyed.map(({ row }) => row);
}

/** Ascending in the order that is asked for. */
function numberAt(row: OutputRow, { field, descending }: SortKey): number {
  const value: unknown = Reflect.get(row, field);
  if (typeof value !== "number") return Number.POSITIVE_INFINITY;
  return descending ? -value : value;
}
