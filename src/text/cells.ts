import { decimalOf } from "./decimal.js";

/**
 * A text that spreadsheets take for a formula (OWASP, "CSV Injection"), after any number of apostrophes. Because apostrophes
 * count, a text that already had one gets another, so `harmlessCell` can be undone.
 */
const FORMULA = /^'*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;

/**
 * A text for a CSV cell. If a spreadsheet would calculate the text, it gets an apostrophe in front, which marks text; see
 * `originalCell`. Numbers stay as they are, also `-5`.
 */
export function harmlessCell(text: string): string {
  return FORMULA.test(text) && decimalOf(text) === null ? `'${text}` : text;
}

/** The text of which `harmlessCell` made the cell. */
export function originalCell(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;
}

/**
 * One record of a CSV file (RFC 4180). Texts are made harmless, lists are JSON, and null and undefined are empty cells.
 *
 * @param lineEnd RFC 4180 asks for CRLF; most programs take either
 */
export function csvLine(values: readonly unknown[], lineEnd: "\n" | "\r\n"): string {
  let line = "";
  for (const [index, value] of values.entries()) line += (index === 0 ? "" : ",") + cellOf(value);
  return line + lineEnd;
}

function cellOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = typeof value === "string" ? harmlessCell(value) : plainText(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function plainText(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
