import { InvalidArgumentError } from "commander";

/** A number as people and programs write it: `-1.5`, `.5`, `2e-3`. Neither hexadecimal nor Infinity, and nothing blank. */
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/** The number that a text writes; null where it writes none, or one too large for a double. */
export function decimalOf(text: string): number | null {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : null;
}

/** The value of an option that takes a number. */
export function decimal(text: string): number {
  const value = decimalOf(text);
  if (value === null) throw new InvalidArgumentError("It must be a number, such as 0.5 or 1e-3.");
  return value;
}

/** Makes the reader of an option that takes a whole number from `min` on. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`It must be a whole number, ${min} or more.`);
  };
}
