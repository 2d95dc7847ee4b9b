import type { SampleRecord, SampleShape } from "../port.js";
import { corrupt } from "./bytes.js";

/**
 * Each dataset numbers its shapes from 0 in the order in which they first occur. A record holds only the number, which takes one
 * or two bytes, however long and many the names are.
 */
export type Shape = SampleShape;

/**
 * The shape in its stored form. Equal shapes have equal texts. If there are directions, they are a list between the loss and the
 * signals.
 */
export function shapeText({ model, loss, directions, signals }: SampleRecord): string {
  const along = directions.length === 0 ? [] : [directions];
  return JSON.stringify([model, loss, ...along, ...[...signals.keys()].sort()]);
}

/** @throws AssayError `store_corrupt` if `text` was not made by `shapeText` */
export function parseShape(text: string): Shape {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    throw corrupt("a shape is not JSON");
  }
  if (!Array.isArray(parts)) throw corrupt("a shape is not a list");
  const directions: unknown = Array.isArray(parts[2]) ? parts[2] : [];
  const names: unknown = directions === parts[2] ? parts.toSpliced(2, 1) : parts;
  if (!isNames(names) || !isNames(directions) || names.length < 2)
    throw corrupt("a shape is not a list of names");
  const [model, loss, ...signals] = names as [string, string, ...string[]];
  return { model, loss, directions, signals };
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
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
  const byModel = new Map<string, number>();
  for (const [number, { model }] of shapes.entries()) {
    const count = counts[number] ?? 0;
    if (count > 0) byModel.set(model, (byModel.get(model) ?? 0) + count);
  }
  return byModel;
}
