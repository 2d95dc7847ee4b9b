import type { SampleRecord, SampleShape } from "../port.js";
import { corrupt } from "./bytes.js";

/**
 * Each dataset numbers its shapes from 0 as they first occur; a record carries the number, so that names of any length
 * and any later signal cost a record one or two bytes.
 */
export type Shape = SampleShape;

/**
 * The shape as the store keeps it: equal shapes have equal texts. Directions, where there are any, stand as a list between the
 * loss and the signals.
 */
export function shapeText({ model, loss, directions, signals }: SampleRecord): string {
  const along = directions.length === 0 ? [] : [directions];
  return JSON.stringify([model, loss, ...along, ...[...signals.keys()].sort()]);
}

/** @throws AssayError `store_corrupt` when `text` was not made by `shapeText`. */
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

/** Models of a dataset's shapes, each once, in the order in which they first occurred. */
export function distinctModels(shapes: readonly Shape[]): string[] {
  return [...new Set(shapes.map((shape) => shape.model))];
}
