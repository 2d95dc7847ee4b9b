import { createSorter, rowsOf, type Sorting, sortRows, type Top } from "./order.js";
import type { RowWriter } from "./row-writer.js";
import type { OutputRow } from "./rows.js";

/** Takes rows as they are scored, and writes them with the requested weights in the requested order. */
export interface Collector {
  add(rows: readonly OutputRow[]): Promise<void>;
  /** Call this after all rows have been added. */
  finish(): Promise<void>;
  /** Call this if the command fails before the last row. It writes the rows that were held back, without weights. */
  leave(): Promise<void>;
}

export interface CollectorOptions {
  /** Weighs all rows; null if rows have no weights and need not wait for each other. */
  readonly weigh: ((rows: readonly OutputRow[]) => OutputRow[]) | null;
  readonly sort: Sorting | undefined;
  readonly top: Top | undefined;
  /** The number of rows to come; null if it is unknown. */
  readonly total: number | null;
}

/** Most rows in one call of the writer, which renders them as one string. */
const ROWS_WRITTEN_MAX = 1000;

/** Rows that are neither weighed nor sorted pass through. Of rows that are sorted but not weighed, only the top is held. */
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

/** The row without its weight: the weight compares it only with its own batch, not with the file. */
function unweighed({ multiplier: _, ...row }: OutputRow): OutputRow {
  return { ...row, weight: null };
}

function boundOf(top: Top, total: number | null): number {
  if (total !== null) return rowsOf(top, total);
  return "rows" in top ? top.rows : Number.POSITIVE_INFINITY;
}
