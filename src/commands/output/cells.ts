import { decimalOf } from "../option-values.js";

/**
 * A text that spreadsheets take for a formula (OWASP, "CSV Injection"), after any number of apostrophes. Because apostrophes
 * count, a text that already had one gets another, so `harmlessCell` can be undone.
 */
const FORMULA = /^'*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;

/**
 * A text for a CSV cell. If a spreadsheet would calculate the text, it gets an apostrophe in front, which marks text. To get the
 * original back, remove one leading apostrophe from a cell that matches `FORMULA`. Numbers stay as they are, also `-5`.
 */
export function harmlessCell(text: string): string {
  return FORMULA.test(text) && decimalOf(text) === null ? `'${text}` : text;
}
