import { decodeIntoColumns, decodeStored, emptyColumns, storedLabel } from "./codec/stored.js";
import type { ScannedSamples } from "./dataset-records.js";
import { fillWeights, type SampleView } from "./look-up.js";
import { droppedSnapshot } from "./snapshot-to-read.js";
import type { WeightColumns } from "./weight-columns.js";

interface StoredRow {
  readonly value: Buffer;
}

/** Samples of a scan in their stored form. */
interface ScannedRows<R extends StoredRow> {
  readonly rows: readonly R[];
  idOf(row: R): string;
}

/**
 * The columns of samples that were read, with their weights in the snapshot of the view. Ids and whole records are decoded when
 * they are asked for. Throws `snapshot_not_found` if the snapshot was dropped in the meantime.
 */
export async function scannedSamples<R extends StoredRow>(
  dataset: string,
  view: SampleView,
  weightColumns: WeightColumns,
  { rows, idOf }: ScannedRows<R>,
): Promise<ScannedSamples> {
  const { incarnation, shapes, snapshot } = view;
  const columns = emptyColumns(rows.length, shapes, snapshot);
  for (const [index, { value }] of rows.entries()) decodeIntoColumns(value, columns, index);
  if (!(await fillWeights(weightColumns, view, columns, { from: 0, to: rows.length })))
    throw droppedSnapshot(dataset, snapshot?.version);
  const { shapeOf, numbers, weights, signals, signalsMax } = columns;
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
    weights,
    signals,
    signalsMax,
    id: (index) => idOf(row(index)),
    label: (index) => storedLabel(row(index).value),
    record: (index) => decodeStored(row(index).value, (number) => shapes[number], null).record,
  };
}
