import type { DatasetPorts } from "../datasets/long-work.js";
import type { DatasetIndex } from "./dataset-index.js";
import { firstPlace } from "./first-place.js";
import { columnOf, matcher, readsOf, type SampleFilter } from "./rank-samples.js";

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
  /** Every column that can be counted, sorted. */
  readonly columns: readonly string[];
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
  const index = await indexes.of(dataset, readsOf(columns, filter));
  const passing = passingRows(index, filter);
  const binned = columns.map((name) => bin(index, name, { bins, scale, passing }));
  const [x, y] = binned;
  return {
    builtAtMs: index.builtAtMs,
    columns: index.columnNames,
    histograms: binned.map(({ histogram }) => histogram),
    map: map && x !== undefined && y !== undefined ? countPairs(index.count, x, y, bins) : null,
  };
}

/** Which rows pass the filter. */
interface Passing {
  readonly count: number;
  /** (N) 1 for a row that passes; null if all pass. */
  readonly rows: Uint8Array | null;
}

function passingRows(index: DatasetIndex, filter: SampleFilter): Passing {
  const matches = matcher(index, filter);
  const isOpen = filter.label === undefined && filter.source === undefined && filter.ranges.length === 0;
  if (isOpen) return { count: index.count, rows: null };
  const rows = new Uint8Array(index.count);
  let count = 0;
  for (let row = 0; row < index.count; row++) {
    if (!matches(row)) continue;
    rows[row] = 1;
    count++;
  }
  return { count, rows };
}

interface BinOptions {
  readonly bins: number;
  readonly scale: "linear" | "log";
  readonly passing: Passing;
}

interface Binned {
  readonly histogram: Histogram;
  /** The rows that are counted, by ascending value. */
  readonly ranked: Uint32Array;
  /** (bins + 1) The place in `ranked` at which each bin begins; the last is the end. */
  readonly starts: readonly number[];
}

function bin(index: DatasetIndex, name: string, { bins, scale, passing }: BinOptions): Binned {
  const values = columnOf(index, name, "/column");
  const order = index.order(name);
  const valueAt = (rows: Uint32Array, place: number): number => values[rows[place] as number] as number;
  // NaN comes last, and a log scale begins above 0.
  const from = scale === "log" ? firstPlace(order.length, (at) => !(valueAt(order, at) <= 0)) : 0;
  const to = firstPlace(order.length, (at) => Number.isNaN(valueAt(order, at)));
  const { rows } = passing;
  const counted = order.subarray(from, Math.max(from, to));
  const ranked = rows === null ? counted : counted.filter((row) => rows[row] === 1);
  const count = ranked.length;
  const least = count === 0 ? 0 : valueAt(ranked, 0);
  const most = count === 0 ? 0 : valueAt(ranked, count - 1);
  const edgeAt = (edge: number): number => {
    if (edge === bins) return most;
    return scale === "log" ? least * (most / least) ** (edge / bins) : least + (most - least) * (edge / bins);
  };
  const edges = count === 0 ? [] : Array.from({ length: bins + 1 }, (_, edge) => edgeAt(edge));
  const starts = Array.from({ length: bins + 1 }, (_, edge) => {
    if (edge === 0 || count === 0) return 0;
    // If all values are equal, they are in the first bin.
    if (edge === bins || most === least) return count;
    return firstPlace(count, (at) => valueAt(ranked, at) >= (edges[edge] as number));
  });
  let sum = 0;
  for (const row of ranked) sum += values[row] as number;
  const quantiles = Object.fromEntries(
    count === 0
      ? []
      : QUANTILES.map((percent) => [percent, valueAt(ranked, Math.round(((count - 1) * percent) / 100))]),
  );
  const counts = starts.slice(1).map((end, at) => end - (starts[at] as number));
  const mean = count === 0 ? null : sum / count;
  const missing = passing.count - count;
  return { histogram: { column: name, count, missing, edges, counts, mean, quantiles }, ranked, starts };
}

function countPairs(rows: number, x: Binned, y: Binned, bins: number): number[][] {
  const columnOfRow = binOfRows(rows, x, bins);
  const lineOfRow = binOfRows(rows, y, bins);
  const counts = Array.from({ length: bins }, () => new Array<number>(bins).fill(0));
  for (let row = 0; row < rows; row++) {
    const column = columnOfRow[row] as number;
    const line = lineOfRow[row] as number;
    if (column < 0 || line < 0) continue;
    const cells = counts[line] as number[];
    cells[column] = (cells[column] as number) + 1;
  }
  return counts;
}

/** (N) The bin of each row; −1 for a row that is not counted. */
function binOfRows(rows: number, { ranked, starts }: Binned, bins: number): Int16Array {
  const binOf = new Int16Array(rows).fill(-1);
  for (let at = 0; at < bins; at++)
    for (let place = starts[at] as number; place < (starts[at + 1] as number); place++)
      binOf[ranked[place] as number] = at;
  return binOf;
}
