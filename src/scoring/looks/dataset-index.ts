import type { DatasetSummary, ScannedSamples } from "../../store/dataset-records.js";
import { noSeenShapes, noteShapes, type SeenShapes } from "../datasets/dataset-columns.js";
import { type GrowingFloats, growingDoubles, growingFloats, growingNumbers } from "../datasets/growing.js";
import type { DatasetPorts } from "../datasets/long-work.js";
import { requireSameDataset } from "../datasets/remembered.js";

/**
 * A dataset in columns, in memory, so that it can be sorted and counted in milliseconds. It is the state of one moment. A million
 * samples with 20-byte ids take about 44 MB (8 MB of them labels), 4 MB for each signal, and 4 MB for each order that was asked
 * for.
 */
export interface DatasetIndex {
  /** When the reading began. */
  readonly builtAtMs: number;
  /** How long the reading took. */
  readonly tookMs: number;
  /** Time of the last change that the index contains. */
  readonly updatedAtMs: number;
  /** Version of the snapshot whose weights are the column `weight`; null if there was none. */
  readonly snapshot: number | null;
  /** The life of the dataset to which the numbers belong; empty for a dataset without samples. */
  readonly incarnation: string;
  readonly count: number; // N
  readonly numbers: Uint32Array; // (N)
  /** Sorted. */
  readonly columnNames: readonly string[];
  /** (N) Values of a signal, of `extras.NAME`, or of `weight`; NaN for a sample without it. Undefined for an unknown name. */
  column(name: string): Float32Array | undefined;
  /** (N) The label if it is a number; NaN otherwise. In float64, because two labels may be one number in float32. */
  readonly labels: Float64Array;
  /** (N) Index of the sample's source in `sourceNames`; 0 for none. */
  readonly sources: Uint32Array;
  readonly sourceNames: readonly (string | null)[];
  /** Groups by their keyed digests; null if they were not asked for. */
  readonly groups: Interned | null;
  /** (N) 1 for a sample with a label, a number or probabilities. */
  readonly labelled: Uint8Array;
  /** What the shapes of the samples say. */
  readonly seen: SeenShapes;
  id(row: number): string;
  /** (N) The rows in ascending order of the column; equal values by number, samples without a value last. */
  order(name: string): Uint32Array;
}

/** A column of names, each kept once. */
export interface Interned {
  /** (N) Index of the sample's name in `names`; 0 for none. */
  readonly of: Uint32Array;
  /** The first is null. */
  readonly names: readonly (string | null)[];
}

export interface IndexOptions {
  /** Whether the groups of the samples are needed. They take a moment longer to read. */
  readonly groups?: boolean;
  /** Called with the number of samples read so far; may throw to end the reading. */
  readonly onRead?: (samples: number) => void;
}

/** The name of the column of the newest snapshot's weights. */
export const WEIGHT = "weight";

/**
 * Reads the whole dataset. Throws what `onRead` throws, and `dataset_not_found` if the dataset is deleted meanwhile, also if it
 * has begun anew since.
 */
export async function buildIndex(
  { store }: Pick<DatasetPorts, "store">,
  {
    dataset,
    createdAtMs,
    updatedAtMs,
    snapshot,
  }: Pick<DatasetSummary, "dataset" | "createdAtMs" | "updatedAtMs" | "snapshot">,
  { groups: withGroups = false, onRead }: IndexOptions = {},
): Promise<DatasetIndex> {
  const builtAtMs = Date.now();
  const began = performance.now();
  const columns = openColumns();
  const numbers = growingNumbers();
  const labels = growingDoubles();
  const sources = growingNumbers();
  const sourceNumbers = new Map<string | null, number>([[null, 0]]);
  const groups = withGroups ? openInterned() : null;
  const labelled = growingNumbers();
  const seen = noSeenShapes();
  const ids = openIds();
  let incarnation = "";
  for await (const chunk of store.scanSamples(dataset, snapshot?.version)) {
    const { count, shapes, shapeOf, signals, signalsMax, weights } = chunk;
    const before = numbers.length;
    incarnation = chunk.incarnation;
    numbers.push(chunk.numbers);
    const read = labelsOf(chunk);
    labels.push(read.labels);
    labelled.push(read.labelled);
    const sourceOf = shapes.map(({ source }) => {
      const known = sourceNumbers.get(source) ?? sourceNumbers.size;
      sourceNumbers.set(source, known);
      return known;
    });
    sources.push(sourcesOf(shapeOf, sourceOf));
    for (const name of new Set(shapes.flatMap((shape) => shape.signals))) {
      const places = shapes.map((shape) => shape.signals.indexOf(name));
      const values = new Float32Array(count);
      for (let row = 0; row < count; row++) {
        const place = places[shapeOf[row] as number] as number;
        values[row] = place < 0 ? Number.NaN : (signals[row * signalsMax + place] as number);
      }
      columns.push(name, before, values);
    }
    columns.push(WEIGHT, before, Float32Array.from(weights));
    noteShapes(chunk, [...new Set(shapes.flatMap((shape) => shape.signals))], seen, new Map());
    ids.push(count, (row) => chunk.id(row));
    if (groups !== null) for (let row = 0; row < count; row++) groups.push(chunk.record(row).group);
    onRead?.(numbers.length);
  }
  await requireSameDataset(store, { dataset, createdAtMs });
  const byNumber = numbers.take();
  const known = columns.take(byNumber.length);
  const orders = new Map<string, Uint32Array>();
  return {
    builtAtMs,
    tookMs: performance.now() - began,
    updatedAtMs,
    snapshot: snapshot?.version ?? null,
    incarnation,
    count: byNumber.length,
    numbers: byNumber,
    columnNames: [...known.keys()].sort(),
    column: (name) => known.get(name),
    labels: labels.take(),
    sources: sources.take(),
    sourceNames: [...sourceNumbers.keys()],
    groups: groups?.take() ?? null,
    labelled: new Uint8Array(labelled.take()),
    seen,
    id: ids.take(),
    order(name) {
      const values = known.get(name);
      if (values === undefined) throw new RangeError(`the index has no column ${name}`);
      const order = orders.get(name) ?? ascending(values, byNumber);
      orders.set(name, order);
      return order;
    },
  };
}

function labelsOf(chunk: ScannedSamples): { labels: Float64Array; labelled: Uint32Array } {
  const labels = new Float64Array(chunk.count);
  const labelled = new Uint32Array(chunk.count);
  for (let row = 0; row < chunk.count; row++) {
    const label = chunk.label(row);
    labels[row] = typeof label === "number" ? label : Number.NaN;
    labelled[row] = label === null ? 0 : 1;
  }
  return { labels, labelled };
}

function sourcesOf(shapeOf: Int32Array, sourceOfShape: readonly number[]): Uint32Array {
  const sources = new Uint32Array(shapeOf.length);
  for (let row = 0; row < shapeOf.length; row++)
    sources[row] = sourceOfShape[shapeOf[row] as number] as number;
  return sources;
}

/** Columns that are filled chunk by chunk; a name may occur for the first time in a late chunk. */
function openColumns(): {
  push(name: string, before: number, values: Float32Array): void;
  take(count: number): Map<string, Float32Array>;
} {
  const columns = new Map<string, GrowingFloats>();
  const fill = (column: GrowingFloats, length: number): void => {
    if (column.length < length) column.push(new Float32Array(length - column.length).fill(Number.NaN));
  };
  return {
    push(name, before, values) {
      const column = columns.get(name) ?? growingFloats();
      columns.set(name, column);
      fill(column, before);
      column.push(values);
    },
    take(count) {
      for (const column of columns.values()) fill(column, count);
      return new Map([...columns].map(([name, column]) => [name, column.take()]));
    },
  };
}

function openInterned(): { push(name: string | null): void; take(): Interned } {
  const of = growingNumbers();
  const numbers = new Map<string | null, number>([[null, 0]]);
  return {
    push(name) {
      const number = numbers.get(name) ?? numbers.size;
      numbers.set(name, number);
      of.push(Uint32Array.of(number));
    },
    take: () => ({ of: of.take(), names: [...numbers.keys()] }),
  };
}

/** Ids one after another in UTF-8: a string of its own for each would take four times as much. */
function openIds(): {
  push(count: number, id: (row: number) => string): void;
  take(): (row: number) => string;
} {
  let bytes = Buffer.allocUnsafe(2 ** 16);
  const ends = growingNumbers();
  let end = 0;
  return {
    push(count, id) {
      const pieces = new Uint32Array(count);
      for (let row = 0; row < count; row++) {
        const text = id(row);
        // A UTF-16 unit takes at most 3 bytes.
        if (end + 3 * text.length > bytes.length) {
          const larger = Buffer.allocUnsafe(Math.ceil((end + 3 * text.length) * 1.5));
          bytes.copy(larger, 0, 0, end);
          bytes = larger;
        }
        end += bytes.write(text, end);
        pieces[row] = end;
      }
      ends.push(pieces);
    },
    take() {
      const lasts = ends.take();
      return (row) => bytes.toString("utf8", row === 0 ? 0 : lasts[row - 1], lasts[row]);
    },
  };
}

/**
 * The rows by ascending value: a radix sort of the float32 bits, whose order is that of the values once the bits of negative values
 * are flipped. NaN comes last. Equal values keep the order of the numbers.
 */
export function ascending(values: Float32Array, numbers: Uint32Array): Uint32Array {
  const count = values.length;
  const bits = new Uint32Array(values.slice().buffer);
  const keys = new Uint32Array(count);
  for (let row = 0; row < count; row++) {
    const value = values[row] as number;
    const raw = bits[row] as number;
    if (Number.isNaN(value)) keys[row] = 0xffff_ffff;
    else if (value === 0)
      keys[row] = 0x8000_0000; // also −0
    else keys[row] = raw >= 0x8000_0000 ? ~raw >>> 0 : (raw | 0x8000_0000) >>> 0;
  }
  let order = new Uint32Array(count);
  for (let row = 0; row < count; row++) order[row] = row;
  for (const of of [numbers, keys]) for (const shift of [0, 16]) order = countingSort(order, of, shift);
  return order;
}

/** The rows by 16 bits of their keys. Rows with equal bits keep their order. */
function countingSort(rows: Uint32Array, keys: Uint32Array, shift: number): Uint32Array<ArrayBuffer> {
  const starts = new Uint32Array(2 ** 16 + 1);
  for (let place = 0; place < rows.length; place++) {
    const digit = ((keys[rows[place] as number] as number) >>> shift) & 0xffff;
    starts[digit + 1] = (starts[digit + 1] as number) + 1;
  }
  for (let digit = 0; digit < 2 ** 16; digit++)
    starts[digit + 1] = (starts[digit + 1] as number) + (starts[digit] as number);
  const sorted = new Uint32Array(rows.length);
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] as number;
    const digit = ((keys[row] as number) >>> shift) & 0xffff;
    const target = starts[digit] as number;
    sorted[target] = row;
    starts[digit] = target + 1;
  }
  return sorted;
}
