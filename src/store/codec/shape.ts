import { type SampleRecord, type SampleShape, SignalRow } from "../dataset-records.js";
import { corrupt } from "./bytes.js";
import { isObject } from "./json.js";

/**
 * Each dataset numbers its shapes from 0 in the order in which they first occur. A record holds only the number, which takes one
 * or two bytes, however long and many the names are.
 */
export type Shape = SampleShape;

/** Most shapes among which a record looks for its own before it makes the text: each look takes time. */
const SIMILAR_MAX = 16;

/** The shape in its stored form: JSON without the fields that are empty. Equal shapes have equal texts. */
export function textOfShape(shape: Shape): string {
  const { model, loss, precision, directions, source, observed, earlier, signals } = shape;
  return JSON.stringify({
    model,
    loss,
    ...(precision !== null && { precision }),
    ...(directions.length > 0 && { directions }),
    ...(source !== null && { source }),
    ...(observed !== null && { observed }),
    ...(earlier.size > 0 && { earlier: [...earlier].sort(byName) }),
    signals,
  });
}

/** A shape in its stored form, and the names of its signals in their order. */
export interface ShapeText {
  readonly text: string;
  readonly signals: readonly string[];
  /** Its place among the shapes that were made: 0, 1, 2, … */
  readonly place: number;
  /** The place of each of these signals among the record's own. */
  readonly order: readonly number[];
}

/**
 * Makes the texts of the shapes of many records, once for each shape: making one takes longer than packing its record, and most
 * records of a batch have the same shape.
 */
export function openShapeTexts(): (record: SampleRecord) => ShapeText {
  const made = new Map<string, Made[]>();
  let place = 0;
  let last: Made | null = null;

  function make(record: SampleRecord): Made {
    const rough = `${record.signals.size} ${record.source}`;
    const similar = made.get(rough) ?? [];
    const known = similar.find(({ of }) => hasSameShape(of, record));
    if (known !== undefined) return known;
    const names = [...record.signals.keys()];
    const signals = [...names].sort();
    const order = signals.map((name) => names.indexOf(name));
    const shape = { of: record, text: textOfShape({ ...record, signals }), signals, order, place: place++ };
    if (similar.length < SIMILAR_MAX) made.set(rough, [...similar, shape]);
    return shape;
  }

  return (record) => {
    if (last === null || !hasSameShape(last.of, record)) last = make(record);
    return last;
  };
}

interface Made extends ShapeText {
  readonly of: SampleRecord;
}

/** Whether two records have the same shape, with their signals in the same order. False is no proof of the contrary. */
function hasSameShape(a: SampleRecord, b: SampleRecord): boolean {
  return (
    a.model === b.model &&
    a.loss === b.loss &&
    a.precision === b.precision &&
    a.source === b.source &&
    a.observed === b.observed &&
    (a.directions === b.directions || isSameOrder(a.directions, b.directions)) &&
    (namesIn(a) === namesIn(b) || isSameOrder(a.signals.keys(), b.signals.keys())) &&
    (a.earlier === b.earlier ||
      (isSameOrder(a.earlier.keys(), b.earlier.keys()) &&
        isSameOrder(a.earlier.values(), b.earlier.values())))
  );
}

/** What two records have in common that share the names of their signals. */
function namesIn({ signals }: SampleRecord): unknown {
  return signals instanceof SignalRow ? signals.names : signals;
}

function isSameOrder(a: Iterable<string>, b: Iterable<string>): boolean {
  const others = b[Symbol.iterator]();
  for (const each of a) if (others.next().value !== each) return false;
  return others.next().done === true;
}

function byName([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : 1;
}

/** @throws AssayError `store_corrupt` if `text` was not made by `textOfShape` or by version 1a1e855 */
export function parseShape(text: string): Shape {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    throw corrupt("a shape is not JSON");
  }
  if (Array.isArray(parts)) return firstShape(parts);
  if (!isObject(parts)) throw corrupt("a shape is not an object");
  const { model, loss, precision = null, directions = [], source = null, observed = null } = parts;
  const { earlier = [], signals } = parts;
  if (
    typeof model !== "string" ||
    typeof loss !== "string" ||
    !isNameOrNull(precision) ||
    !isNames(directions) ||
    !isNameOrNull(source) ||
    !(observed === null || observed === "train" || observed === "eval") ||
    !(Array.isArray(earlier) && earlier.every(isPair)) ||
    !isNames(signals)
  )
    throw corrupt("a shape lacks a part");
  return { model, loss, precision, directions, source, observed, earlier: new Map(earlier), signals };
}

/** A shape of version 1a1e855: a list of model, loss and signals. If there are directions, they are a list after the loss. */
function firstShape(parts: unknown[]): Shape {
  const directions: unknown = Array.isArray(parts[2]) ? parts[2] : [];
  const names: unknown = directions === parts[2] ? parts.toSpliced(2, 1) : parts;
  if (!isNames(names) || !isNames(directions)) throw corrupt("a shape is not a list of names");
  const [model, loss, ...signals] = names;
  if (model === undefined || loss === undefined) throw corrupt("a shape lacks its model or loss");
  return {
    model,
    loss,
    precision: null,
    directions,
    source: null,
    observed: null,
    earlier: new Map(),
    signals,
  };
}

function isNameOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}

function isPair(value: unknown): value is [string, string] {
  return isNames(value) && value.length === 2;
}

/**
 * Number of samples of each model, in the order in which the models first occurred. Models without samples are left out.
 *
 * @param counts number of samples of each shape
 */
export function samplesByModel(
  shapes: readonly Shape[],
  counts: readonly number[],
): ReadonlyMap<string, number> {
  return samplesBy(shapes, counts, ({ model }) => model);
}

/** Number of samples of each source. Samples without a source are left out. */
export function samplesBySource(
  shapes: readonly Shape[],
  counts: readonly number[],
): ReadonlyMap<string, number> {
  return samplesBy(shapes, counts, ({ source }) => source);
}

function samplesBy(
  shapes: readonly Shape[],
  counts: readonly number[],
  nameOf: (shape: Shape) => string | null,
): ReadonlyMap<string, number> {
  const byName = new Map<string, number>();
  for (const [number, shape] of shapes.entries()) {
    const count = counts[number] ?? 0;
    const name = nameOf(shape);
    if (count > 0 && name !== null) byName.set(name, (byName.get(name) ?? 0) + count);
  }
  return byName;
}
