import { once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import { finished } from "node:stream/promises";
import { stringify } from "csv-stringify/sync";
import { AssayError } from "../errors.js";
import type { SampleRow } from "../scoring/batch/row.js";

/** Writes rows one after another, to a file or standard output. */
export interface RowWriter {
  write(rows: readonly SampleRow[]): Promise<void>;
  close(): Promise<void>;
}

export const ROW_FORMATS = ["ndjson", "csv"] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/**
 * NDJSON, a line a row; or CSV, whose columns are those of the first row, lists as JSON. `path` null: standard output.
 * Throws `output_invalid` where the file cannot be written.
 */
export async function openRowWriter(path: string | null, format: RowFormat): Promise<RowWriter> {
  const stream = path === null ? process.stdout : (await openFile(path)).createWriteStream();
  let columns: string[] | null = null;

  function render(rows: readonly SampleRow[]): string {
    if (format === "ndjson") return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
    const header = columns === null;
    columns ??= Object.keys(rows[0] ?? {});
    return stringify(rows as SampleRow[], { header, columns, cast: { boolean: String } });
  }

  return {
    async write(rows) {
      if (rows.length > 0 && !stream.write(render(rows))) await once(stream, "drain");
    },
    async close() {
      if (path === null) return;
      stream.end();
      await finished(stream);
    },
  };
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "w");
  } catch (cause) {
    throw new AssayError("output_invalid", {
      detail: `${path} cannot be written: ${(cause as Error).message}`,
      cause,
    });
  }
}
