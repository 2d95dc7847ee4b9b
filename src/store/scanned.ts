import type { Shape } from "./codec/shape.js";
import { decodeIntoColumns, decodeStored, emptyColumns } from "./codec/stored.js";
import type { ScannedSamples } from "./port.js";

/** The columns of samples that were read. Ids and whole records are decoded when they are asked for. */
export function scannedSamples<R extends { readonly value: Buffer }>(
  incarnation: string,
  shapes: readonly Shape[],
  rows: readonly R[],
  idOf: (row: R) => string,
): ScannedSamples {
  const columns = emptyColumns(rows.length, shapes, null);
  for (const [index, { value }] of rows.entries()) decodeIntoColumns(value, columns, index);
  const { shapeOf, numbers, signals, signalsMax } = columns;
  const row = (index: number): R => {
    const found = rows[index];
    if (found === undefined) throw new RangeError(`there is no row ${index}`);
    return found;
  };
  return {
    incarnation,
    count: rows.length,
    shapes,
    shapeOf,
    numbers,
    signals,
    signalsMax,
    id: (index) => idOf(row(index)),
    record: (index) => decodeStored(row(index).value, (number) => shapes[number], null).record,
  };
}
