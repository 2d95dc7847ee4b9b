import { AssayError, faultsError } from "../../errors.js";
import type { DatasetPorts } from "../datasets/long-work.js";
import type { DatasetIndex } from "./dataset-index.js";
import { firstPlace } from "./first-place.js";
import type { IndexReads } from "./indexes.js";

/** Which samples to list, and in which order. Plain values only. */
export interface RankInput {
  readonly dataset: string;
  /** A signal, `extras.NAME` or `weight`. */
  readonly sort: string;
  readonly descending: boolean;
  readonly filter: SampleFilter;
  readonly limit: number;
  /** The end of the page before; null for the first. */
  readonly after: RankCursor | null;
}

/** The last sample of a page: the next one begins after it, whatever has been scored in between. */
export interface RankCursor {
  readonly value: number;
  readonly number: number;
}

export interface SampleFilter {
  readonly label?: number;
  readonly source?: string;
  readonly ranges: readonly ColumnRange[];
}

/** Both ends belong to the range. */
export interface ColumnRange {
  readonly column: string;
  readonly min: number;
  readonly max: number;
}

export interface RankedSamples {
  readonly builtAtMs: number;
  /** In the order asked for. */
  readonly ids: readonly string[];
  /** Null on the last page. */
  readonly next: RankCursor | null;
}

/**
 * The ids of a page of a dataset's samples by a signal. Order and filter are of the index's moment, and a sample may be deleted since.
 * Samples without the value are left out.
 *
 * Throws `dataset_not_found`, and `unsuitable_signal` if no sample has the signal.
 */
export async function rankSamples(
  { indexes }: DatasetPorts,
  { dataset, sort, descending, filter, limit, after }: RankInput,
): Promise<RankedSamples> {
  const index = await indexes.of(dataset, readsOf([sort], filter));
  const values = columnOf(index, sort, "/sort");
  const matches = matcher(index, filter);
  const order = index.order(sort);
  const sign = descending ? -1 : 1;
  const rows: number[] = [];
  let next: RankCursor | null = null;
  for (
    let place = start(index, { sort, descending, after });
    place >= 0 && place < order.length;
    place += sign
  ) {
    const row = order[place] as number;
    if (Number.isNaN(values[row] as number) || !matches(row)) continue;
    if (rows.length === limit) {
      const last = rows.at(-1) as number;
      next = { value: values[last] as number, number: index.numbers[last] as number };
      break;
    }
    rows.push(row);
  }
  return { builtAtMs: index.builtAtMs, ids: rows.map((row) => index.id(row)), next };
}

/** What a look at these columns reads, with its filter. */
export function readsOf(columns: readonly string[], { ranges, source }: SampleFilter): IndexReads {
  return { columns: [...columns, ...ranges.map(({ column }) => column)], source };
}

/** The place in the order at which the page begins. */
function start(
  index: DatasetIndex,
  { sort, descending, after }: Pick<RankInput, "sort" | "descending" | "after">,
): number {
  const order = index.order(sort);
  const values = index.column(sort) as Float32Array;
  if (after === null) return descending ? order.length - 1 : 0;
  // The first place whose (value, number) is greater than the cursor's; NaN counts as greater than all.
  const isAfter = (place: number, orEqual: boolean): boolean => {
    const row = order[place] as number;
    const value = values[row] as number;
    if (Number.isNaN(value) || value > after.value) return true;
    if (value < after.value) return false;
    const number = index.numbers[row] as number;
    return orEqual ? number >= after.number : number > after.number;
  };
  const first = firstPlace(order.length, (place) => isAfter(place, descending));
  return descending ? first - 1 : first;
}

/** A column of the index. Throws `unsuitable_signal` with the path if no sample has it. */
export function columnOf(index: DatasetIndex, name: string, path: string): Float32Array {
  const values = index.column(name);
  if (values !== undefined) return values;
  const known = index.columnNames.join(", ");
  throw faultsError("unsuitable_signal", [
    {
      path,
      message: `is ${JSON.stringify(name)}, which no sample of the dataset has; the samples have: ${known}`,
    },
  ]);
}

/**
 * A function that tells whether a row passes the filter. Throws `unsuitable_signal` if no sample has the source or a range's column.
 *
 * @param pathOf the place of a range's column in the request
 */
export function matcher(
  index: DatasetIndex,
  { label, source, ranges }: SampleFilter,
  pathOf: (range: number) => string = () => "/range",
): (row: number) => boolean {
  const columns = ranges.map(({ column, min, max }, range) => ({
    values: columnOf(index, column, pathOf(range)),
    min,
    max,
  }));
  const wanted = source === undefined ? -1 : index.sourceNames.indexOf(source);
  if (source !== undefined && wanted < 0)
    throw new AssayError("unsuitable_signal", {
      detail: `No sample of the dataset has the source ${JSON.stringify(source)}`,
    });
  return (row) => {
    if (label !== undefined && index.labels[row] !== label) return false;
    if (source !== undefined && index.sources[row] !== wanted) return false;
    for (const { values, min, max } of columns) {
      const value = values[row] as number;
      if (!(value >= min && value <= max)) return false;
    }
    return true;
  };
}
