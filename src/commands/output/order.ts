import { InvalidArgumentError } from "commander";
import { decimalOf } from "../option-values.js";
import type { OutputRow } from "./rows.js";

/** Rows by a field that holds numbers; those without one come last, equal ones in the order of the file. */
export interface Sorting {
  readonly field: string;
  readonly descending: boolean;
}

/** The first rows alone: so many, or a share of all. */
export type Top = { readonly rows: number } | { readonly share: number };

/** `loss` or `-loss`. */
export function sortingOf(text: string): Sorting {
  return { field: text.replace(/^-/, ""), descending: text.startsWith("-") };
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

export function sortRows(rows: readonly OutputRow[], { field, descending }: Sorting): OutputRow[] {
  const sign = descending ? -1 : 1;
  const keyed = rows.map((row) => {
    const value: unknown = Reflect.get(row, field);
    return { row, key: typeof value === "number" ? sign * value : Number.POSITIVE_INFINITY };
  });
  keyed.sort((a, b) => (a.key === b.key ? 0 : a.key - b.key));
  return keyed.map(({ row }) => row);
}
