import { InvalidArgumentError } from "commander";
import { decimalOf } from "../text/decimal.js";

/** Reads the value of an option that takes a number. */
export function decimal(text: string): number {
  const value = decimalOf(text);
  if (value === null) throw new InvalidArgumentError("It must be a number, such as 0.5 or 1e-3.");
  return value;
}

/** Makes a function that reads the value of an option: a whole number, at least `min`. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`);
  };
}
