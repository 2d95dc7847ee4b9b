/** A decimal number such as `-1.5`, `.5` or `2e-3`. Hexadecimal numbers, Infinity and blanks are not allowed. */
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** The number in a text; null if the text is not a number, or if the number is too large for a double. */
export function decimalOf(text: string): number | null {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : null;
}
