import type { SignalColumns, SignalName } from "./types.js";

/** One sample's signals: those that its label allows. */
export function signalsAt(columns: SignalColumns, index: number): Map<SignalName, number> {
  const signals = new Map<SignalName, number>();
  for (const [name, column] of columns) {
    const value = column[index];
    if (typeof value === "number") signals.set(name, value);
  }
  return signals;
}

/**
 * (N) A signal that every sample has.
 *
 * @throws RangeError if a sample lacks it. The caller must refuse such requests before
 */
export function completeColumn(columns: SignalColumns, name: SignalName): Float64Array {
  const column = columns.get(name);
  if (column === undefined) throw new RangeError(`the batch has no ${name}`);
  const values = new Float64Array(column.length);
  for (let index = 0; index < column.length; index++) {
    const value = column[index];
    if (typeof value !== "number") throw new RangeError(`sample ${index} has no ${name}`);
    values[index] = value;
  }
  return values;
}

/** The largest of (N) values; −Infinity if N is 0. */
export function largest(values: Float64Array): number {
  let peak = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < values.length; index += 1) peak = Math.max(peak, values[index] as number);
  return peak;
}

/** The smallest of (N) values; Infinity if N is 0. */
export function smallest(values: Float64Array): number {
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < values.length; index += 1) least = Math.min(least, values[index] as number);
  return least;
}
