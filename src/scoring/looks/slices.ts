import { effectiveSize } from "../../importance/diagnostics.js";
import { sum } from "../../importance/sum.js";
import type { DatasetPorts } from "../datasets/long-work.js";
import { strataOf } from "../datasets/strata.js";
import { type DatasetIndex, WEIGHT } from "./dataset-index.js";
import { columnOf, matcher, readsOf, type SampleFilter } from "./rank-samples.js";

export const SLICED_BY = ["source", "label"] as const;

/** How to divide a dataset, and which columns to average in each slice. Plain values only. */
export interface SliceInput {
  readonly dataset: string;
  readonly by: (typeof SLICED_BY)[number];
  /** Signals, `extras.NAME` or `weight`. */
  readonly columns: readonly string[];
  readonly filter: SampleFilter;
  /** Most slices to answer: the ones with the most samples. */
  readonly limit: number;
}

/** The samples of one source or label. */
export interface Slice {
  /** Null: the samples without a source, or without a label that is a number. */
  readonly name: string | null;
  readonly samples: number; // n
  /** n/N of the samples that pass the filter. */
  readonly share: number;
  readonly labelled: number;
  /** Its part of the weights of all samples that pass the filter; null before the first snapshot. */
  readonly weightShare: number | null;
  /** (Σw)²/Σw² over its weights; null if they are all 0 or missing. */
  readonly effectiveSampleSize: number | null;
  readonly means: readonly SliceMean[];
}

export interface SliceMean {
  readonly column: string;
  /** Samples of the slice that have a value. */
  readonly count: number;
  readonly mean: number | null;
  /** s/√count, with the deviation s over count − 1; null for fewer than two values. */
  readonly standardError: number | null;
}

export interface DatasetSlices {
  readonly builtAtMs: number;
  /** Samples that pass the filter. */
  readonly samples: number;
  /** Slices with samples, also those that are not answered. */
  readonly slicesTotal: number;
  /** The largest first. */
  readonly slices: readonly Slice[];
}

/** Means by slice. Throws `dataset_not_found`, and `unsuitable_signal` if no sample has a column. */
export async function sliceDataset(
  { indexes }: DatasetPorts,
  { dataset, by, columns, filter, limit }: SliceInput,
): Promise<DatasetSlices> {
  const index = await indexes.of(dataset, readsOf(columns, filter));
  const values = columns.map((column) => columnOf(index, column, "/column"));
  const { rowsOf, names } = rowsBySlice(index, by, filter);
  const samples = rowsOf.reduce((total, rows) => total + rows.length, 0);
  const weights = index.column(WEIGHT);
  const sums = rowsOf.map((rows) => (weights === undefined ? 0 : sum(valuesAt(weights, rows))));
  const total = sum(Float64Array.from(sums));
  const order = [...rowsOf.keys()]
    .filter((slice) => (rowsOf[slice] as Uint32Array).length > 0)
    .sort((a, b) => (rowsOf[b] as Uint32Array).length - (rowsOf[a] as Uint32Array).length);
  return {
    builtAtMs: index.builtAtMs,
    samples,
    slicesTotal: order.length,
    slices: order.slice(0, limit).map((slice) => {
      const rows = rowsOf[slice] as Uint32Array;
      const ownSum = sums[slice] as number;
      return {
        name: names[slice] as string | null,
        samples: rows.length,
        share: rows.length / samples,
        labelled: rows.reduce((labelled, row) => labelled + (index.labelled[row] as number), 0),
        weightShare: total > 0 ? ownSum / total : null,
        effectiveSampleSize:
          weights === undefined || !(ownSum > 0)
            ? null
            : effectiveSize(valuesAt(weights, rows).map((weight) => weight / ownSum)),
        means: columns.map((column, at) => meanOf(column, valuesAt(values[at] as Float32Array, rows))),
      };
    }),
  };
}

function rowsBySlice(
  index: DatasetIndex,
  by: SliceInput["by"],
  filter: SampleFilter,
): { rowsOf: Uint32Array[]; names: readonly (string | null)[] } {
  const matches = matcher(index, filter);
  const all = Uint32Array.from({ length: index.count }, (_, row) => row);
  const { of, names, count } = strataOf(index, all, by);
  const passing = all.filter(matches);
  const ends = new Uint32Array(count);
  for (const row of passing) {
    const slice = of[row] as number;
    ends[slice] = (ends[slice] as number) + 1;
  }
  const rowsOf = Array.from(ends, (length) => new Uint32Array(length));
  const filled = new Uint32Array(count);
  for (const row of passing) {
    const slice = of[row] as number;
    const at = filled[slice] as number;
    (rowsOf[slice] as Uint32Array)[at] = row;
    filled[slice] = at + 1;
  }
  return { rowsOf, names };
}

/** The values of the rows that have one. */
function valuesAt(column: Float32Array, rows: Uint32Array): Float64Array {
  return Float64Array.from(rows, (row) => column[row] as number).filter((value) => !Number.isNaN(value));
}

function meanOf(column: string, values: Float64Array): SliceMean {
  const count = values.length;
  if (count === 0) return { column, count, mean: null, standardError: null };
  const mean = sum(values) / count;
  if (count === 1) return { column, count, mean, standardError: null };
  const variance = sum(values.map((value) => (value - mean) ** 2)) / (count - 1);
  return { column, count, mean, standardError: Math.sqrt(variance / count) };
}
