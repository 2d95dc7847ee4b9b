import { createSorter, rowsOf, type Sorting, sortRows, type Top } from "./order.js";
import type { RowWriter } from "./row-writer.js";
import type { OutputRow } from "./rows.js";

/** Takes rows as they are scored and writes them with the weights and in the order that are asked for. */
export interface Collector {
  add(rows: readonly OutputRow[]): Promise<void>;
  /** All rows are there. */
  finish(): Promise<void>;
  /** No more rows come: writes those that were held back, without weights. */
  leave(): Promise<void>;
}

export interface CollectorOptions {
  /** Gives all rows their weights; null where rows have none and need not wait for each other. */
  readonly weigh: ((rows: readonly OutputRow[]) => OutputRow[]) | null;
  readonly sort: Sorting | undefined;
  readonly top: Top | undefined;
  /** How many rows come; null where nobody knows. */
  readonly total: number | null;
}

/** Rows in one call of the writer: what it renders is one string. */
const ROWS_WRITTEN_MAX = 1000;

/** Rows pass through where they are neither weighed nor sorted; of sorted ones without weights, no more than the top are held. */
export function createCollector(writer: RowWriter, { weigh, sort, top, total }: CollectorOptions): Collector {
  let seen = 0;
  const holdsTop = weigh === null && sort !== undefined;
  const limit = holdsTop && top !== undefined ? boundOf(top, total) : Number.POSITIVE_INFINITY;
  const held = createSorter(holdsTop ? sort : null, limit);

  async function write(rows: readonly OutputRow[]): Promise<void> {
    for (let at = 0; at < rows.length; at += ROWS_WRITTEN_MAX)
      await writer.write(rows.slice(at, at + ROWS_WRITTEN_MAX));
  }

  if (weigh === null && sort === undefined)
    return { add: write, finish: async () => undefined, leave: async () => undefined };
  return {
    async add(rows) {
      seen += rows.length;
      held.add(rows);
    },
    async finish() {
      const scored = held.sorted();
      const rows = weigh === null ? scored : weigh(scored);
      const ordered = sort === undefined || holdsTop ? rows : sortRows(rows, sort);
      await write(top === undefined ? ordered : ordered.slice(0, rowsOf(top, seen)));
    },
    leave: () => write(weigh === null ? held.sorted() : held.sorted().map(unweighed)),
  };
}

/** A batch was weighed among itself, which says nothing of the file. */
function unweighed({ multiplier: _, ...row }: OutputRow): OutputRow {
  return { ...row, weight: null };
}

function boundOf(top: Top, total: number | null): number {
  if (total !== null) return rowsOf(top, total);
  return "rows" in top ? top.rows : Number.POSITIVE_INFINITY;
}
