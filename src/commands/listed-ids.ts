import { readFile } from "node:fs/promises";
import { parse } from "csv-parse/sync";
import { AssayError, messageOf } from "../errors.js";
import { originalCell } from "../text/cells.js";

/**
 * The ids of a file: one a line, the `id` of each JSON line, or the column `id` of a CSV file with a header, such as an output of
 * a command. A file is CSV if its name ends so, or if its first line has several cells and one of them is `id`. Throws
 * `input_invalid`.
 *
 * @param option the option that named the file
 */
export async function listedIds(option: string, path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw invalid(`${option} ${path} cannot be read: ${messageOf(cause)}`, cause);
  });
  const content = text.replace(/^\ufeff/, "");
  if (path.endsWith(".csv") || isHeader(content)) return idsOfCells(content, path);
  return content.split(/\r?\n/).flatMap((line, index) => {
    if (line.trim() === "") return [];
    return [line.startsWith("{") ? idOf(line, `${path}, line ${index + 1}`) : line];
  });
}

function isHeader(text: string): boolean {
  const [first = ""] = text.split(/\r?\n/, 1);
  const cells = first.split(",").map((cell) => cell.replace(/^"(.*)"$/, "$1"));
  return cells.length > 1 && cells.includes("id");
}

function idsOfCells(text: string, path: string): string[] {
  let rows: string[][];
  try {
    rows = parse(text, { skip_empty_lines: true });
  } catch (cause) {
    throw invalid(`${path}: ${messageOf(cause)}`, cause);
  }
  const [header = [], ...records] = rows;
  const column = header.indexOf("id");
  if (column < 0)
    throw invalid(
      `${path} has no column id: name it in the first line, or give one id a line in a file whose name does not end in .csv`,
    );
  return records.map((record) => originalCell(record[column] as string));
}

function idOf(line: string, place: string): string {
  let value: { id?: unknown };
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw invalid(`${place} is not JSON: ${messageOf(cause)}`, cause);
  }
  if (typeof value.id === "string") return value.id;
  throw invalid(`${place} has no id: give one id a line, JSON lines with id, or CSV with a column id`);
}

function invalid(detail: string, cause?: unknown): AssayError {
  return new AssayError("input_invalid", { detail, cause });
}
