import { csvLine } from "../../text/cells.js";
import type { Output } from "./output-file.js";
import type { OutputRow } from "./rows.js";

export const ROW_FORMATS = ["ndjson", "csv"] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/** Renders rows one batch after another. */
export interface RowWriter {
  write(rows: readonly OutputRow[]): Promise<void>;
}

/**
 * Writes NDJSON, one row per line, or CSV with a header. In CSV, lists are JSON, and texts that a spreadsheet would calculate are
 * made harmless. A CSV has the fields of its first row, and those in `later`, which later rows may have.
 */
export function createRowWriter(output: Output, format: RowFormat, later: readonly string[]): RowWriter {
  let columns: string[] | null = null;

  function render(rows: readonly OutputRow[]): string {
    if (format === "ndjson") return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    const header = columns === null;
    const names = columns ?? columnsOf(Object.keys(rows[0] ?? {}), later);
    columns = names;
    const lines = rows.map((row) =>
      csvLine(
        names.map((name): unknown => Reflect.get(row, name)),
        "\n",
      ),
    );
    return (header ? csvLine(names, "\n") : "") + lines.join("");
  }

  return {
    async write(rows) {
      if (rows.length > 0) await output.write(render(rows));
    },
  };
}

/** The columns, with those of `later` before `weight`. Every row has `weight` and the fields after it. */
function columnsOf(first: readonly string[], later: readonly string[]): string[] {
  const added = later.filter((name) => !first.includes(name));
  const at = first.indexOf("weight");
  return [...first.slice(0, at), ...added, ...first.slice(at)];
}
