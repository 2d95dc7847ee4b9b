import { decimalOf } from "../option-values.js";

/**
 * What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection"), behind any apostrophes: so that what was made
 * harmless can be told from what was so written.
 */
const FORMULA = /^'*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;

/**
 * A text for a cell of CSV: one that a spreadsheet would calculate gets an apostrophe in front, which is its sign for text. Taking one
 * apostrophe away from a cell that `FORMULA` fits and that begins with one gives the text back. A number stays, `-5` too.
 */
export function harmlessCell(text: string): string {
  return FORMULA.test(text) && decimalOf(text) === null ? `'${text}` : text;
}
