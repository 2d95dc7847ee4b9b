import type { SampleRecord, SampleShape } from "../port.js";
import { corrupt } from "./bytes.js";

/**
 * Each dataset numbers its shapes from 0 as they first occur; a record carries the number, so that names of any length
 * and any later signal cost a record one or two bytes.
 */
export type Shape = SampleShape;

/** The shape as the store keeps it: equal shapes have equal texts. */
export function shapeText({ model, loss, signals }: SampleRecord): string {
  return JSON.stringify([model, loss, ...[...signals.keys()].sort()]);
}

/** @throws AssayError `store_corrupt` when `text` was not made by `shapeText`. */
export function parseShape(text: string): Shape {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    throw corrupt("a shape is not JSON");
  }
  if (!Array.isArray(parts) || parts.length < 2 || !parts.every((part) => typeof part === "string")) {
    throw corrupt("a shape is not a list of names");
  }
  const [model, loss, ...signals] = parts as [string, string, ...string[]];
  return { model, loss, signals };
}

/** Models of a dataset's shapes, each once, in the order in which they first occurred. */
export function distinctModels(shapes: readonly Shape[]): string[] {
  return [...new Set(shapes.map((shape) => shape.model))];
}
