import type { DatasetPorts } from "../datasets/long-work.js";
import type { DatasetIndex } from "./dataset-index.js";
import { columnOf, matcher, type SampleFilter } from "./rank-samples.js";

/** Which columns to count, in how many bins. Plain values only. */
export interface HistogramInput {
  readonly dataset: string;
  /** Signals, `extras.NAME` or `weight`. One or several: a histogram each. With `map`, the first two are x and y. */
  readonly columns: readonly string[];
  readonly bins: number;
  /** `log`: bins of equal ratio, for values above 0. */
  readonly scale: "linear" | "log";
  readonly filter: SampleFilter;
  /** Counts pairs of the two columns instead. */
  readonly map: boolean;
}

export interface Histogram {
  readonly column: string;
  /** Values that are counted. */
  readonly count: number;
  /** Samples that pass the filter but have no value, or none above 0 on a log scale. */
  readonly missing: number;
  /** (bins + 1); empty if nothing is counted. A bin contains its lower edge, the last one also its upper edge. */
  readonly edges: readonly number[];
  /** (bins) */
  readonly counts: readonly number[];
  readonly mean: number | null;
  /** At 0, 1, 5, 25, 50, 75, 95, 99 and 100%: the value of the sample of that rank. */
  readonly quantiles: Readonly<Record<string, number>>;
}

export interface DatasetHistograms {
  readonly builtAtMs: number;
  readonly histograms: readonly Histogram[];
  /** (bins, bins) counts, y by row, x by column, over the edges of the two histograms; null without `map`. */
  readonly map: readonly (readonly number[])[] | null;
}

const QUANTILES = [0, 1, 5, 25, 50, 75, 95, 99, 100];

/** Counts the values of columns. Throws `dataset_not_found`, and `unsuitable_signal` if no sample has a column. */
export async function countDataset(
  { indexes }: DatasetPorts,
  { dataset, columns, bins, scale, filter, map }: HistogramInput,
): Promise<DatasetHistograms> {
  const index = await indexes.of(dataset);
  const matches = matcher(index, filter);
  const binned = columns.map((name) => bin(index, name, { bins, scale, matches }));
  const [x, y] = binned;
  return {
    builtAtMs: index.builtAtMs,
    histograms: binned.map(({ histogram }) => histogram),
    map: map && x !== undefined && y !== undefined ? countPairs(index, x, y, bins) : null,
  };
}

interface BinOptions {
  readonly bins: number;
  readonly scale: "linear" | "log";
  matches(row: number): boolean;
}

interface Binned {
  readonly histogram: Histogram;
  /** The bin of a row; −1 for a row that is not counted. */
  binOf(row: number): number;
}

function bin(index: DatasetIndex, name: string, { bins, scale, matches }: BinOptions): Binned {
  const values = columnOf(index, name, "/columns");
  const isCounted = (row: number): boolean => {
    const value = values[row] as number;
    return (scale === "log" ? value > 0 : !Number.isNaN(value)) && matches(row);
  };
  const ranked = index.order(name).filter(isCounted);
  let passing = 0;
  for (let row = 0; row < index.count; row++) if (matches(row)) passing++;
  const count = ranked.length;
  const valueAt = (rank: number): number => values[ranked[rank] as number] as number;
  const least = count === 0 ? 0 : valueAt(0);
  const most = count === 0 ? 0 : valueAt(count - 1);
  const edgeAt = (edge: number): number =>
    scale === "log" ? least * (most / least) ** (edge / bins) : least + (most - least) * (edge / bins);
  const edges =
    count === 0 ? [] : Array.from({ length: bins + 1 }, (_, edge) => (edge === bins ? most : edgeAt(edge)));
  const position = (value: number): number =>
    most === least
      ? 0
      : scale === "log"
        ? Math.log(value / least) / Math.log(most / least)
        : (value - least) / (most - least);
  const binOf = (row: number): number =>
    isCounted(row) ? Math.min(bins - 1, Math.floor(position(values[row] as number) * bins)) : -1;
  const counts = new Array<number>(bins).fill(0);
  let sum = 0;
  for (const row of ranked) {
    const at = binOf(row);
    counts[at] = (counts[at] as number) + 1;
    sum += values[row] as number;
  }
  const quantiles = Object.fromEntries(
    count === 0
      ? []
      : QUANTILES.map((percent) => [percent, valueAt(Math.round(((count - 1) * percent) / 100))]),
  );
  const mean = count === 0 ? null : sum / count;
  return {
    histogram: { column: name, count, missing: passing - count, edges, counts, mean, quantiles },
    binOf,
  };
}

function countPairs(index: DatasetIndex, x: Binned, y: Binned, bins: number): number[][] {
  const counts = Array.from({ length: bins }, () => new Array<number>(bins).fill(0));
  for (let row = 0; row < index.count; row++) {
    const column = x.binOf(row);
    const line = y.binOf(row);
    if (column < 0 || line < 0) continue;
    const cells = counts[line] as number[];
    cells[column] = (cells[column] as number) + 1;
  }
  return counts;
}
