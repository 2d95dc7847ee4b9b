import { InvalidArgumentError } from "commander";
import { decimalOf } from "../../text/decimal.js";
import type { OutputRow } from "./rows.js";

/** A field that holds numbers, and the direction in which to sort by it. */
export interface SortKey {
  readonly field: string;
  readonly descending: boolean;
}

/**
 * Keys to sort by. The next key decides between rows that are equal in the keys before it. Rows without a number come last. Rows
 * that are equal in all keys stay in the order of the file.
 */
export type Sorting = readonly SortKey[];

/** Only the first rows: a number of them, or a share of all. */
export type Top = { readonly rows: number } | { readonly share: number };

/** Reads `loss`, `-loss`, or several keys: `-label,-loss`. */
export function sortingOf(text: string): Sorting {
  return text.split(",").map((key) => ({ field: key.replace(/^-/, ""), descending: key.startsWith("-") }));
}

/** Reads `100` or `5%`. */
export function topOf(text: string): Top {
  const value = decimalOf(text.replace(/%$/, ""));
  if (text.endsWith("%") && value !== null && value > 0 && value <= 100) return { share: value / 100 };
  if (value !== null && Number.isSafeInteger(value) && value > 0 && /^\d+$/.test(text))
    return { rows: value };
  throw new InvalidArgumentError("It must be a number of rows, such as 100, or a share of them, such as 5%.");
}

/** How many of `total` rows the top has: at least one. */
export function rowsOf(top: Top, total: number): number {
  return "rows" in top ? top.rows : Math.ceil(top.share * total);
}

/** Collects rows and returns the first `limit` of them in order. It never holds more than twice as many, plus one batch. */
export interface Sorter {
  add(rows: readonly OutputRow[]): void;
  sorted(): OutputRow[];
}

/** `sorting` null: the rows keep the order in which they were added. */
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

/** The number of a row that ascends in the requested order. */
function numberAt(row: OutputRow, { field, descending }: SortKey): number {
  const value: unknown = Reflect.get(row, field);
  if (typeof value !== "number") return Number.POSITIVE_INFINITY;
  return descending ? -value : value;
}
