import { AssayError } from "../errors.js";
import { parseShape, type Shape } from "./codec/shape.js";

/** Most shapes of one dataset: each is kept with the dataset, and every process that reads the dataset has all of them in memory. */
export const SHAPES_MAX = 4096;

/** Most shapes of all datasets that a process has in memory beside those of the dataset that it used last: some 64 MB. */
export const SHAPES_CACHED_MAX = 2 ** 16;

/** Most names of signals and extras in one dataset: each is a column in memory while the dataset is sorted or selected from. */
export const SIGNAL_NAMES_MAX = 512;

/**
 * Refuses shapes that would take a dataset beyond its limits. Shapes of deleted samples count until the dataset is deleted.
 *
 * @param known the dataset's shapes
 * @param fresh texts of other shapes, each once
 * @throws AssayError `shapes_full`
 */
export function refuseShapes(known: readonly Shape[], fresh: readonly string[]): void {
  if (fresh.length === 0) return;
  const all = [...known, ...fresh.map(parseShape)];
  const names = countOf(all.flatMap(({ signals }) => signals));
  if (names > SIGNAL_NAMES_MAX)
    throw new AssayError("shapes_full", {
      detail: `The dataset would have ${names} names of signals and extras, and may have ${SIGNAL_NAMES_MAX}: use the same names of extras for all samples`,
    });
  if (all.length > SHAPES_MAX) throw new AssayError("shapes_full", { detail: describeShapes(all) });
}

function describeShapes(shapes: readonly Shape[]): string {
  const parts = [
    `${countOf(shapes.map(({ source }) => source))} sources`,
    `${countOf(shapes.map(({ model }) => model))} models or versions`,
    `${countOf(shapes.map(({ signals }) => signals.join("\n")))} lists of signals and extras`,
    `${countOf(shapes.map(({ directions }) => directions.join("\n")))} directions`,
  ];
  return `The dataset would have ${shapes.length} combinations of source, model, loss, precision, directions, and names of signals and extras, and may have ${SHAPES_MAX}. They have ${parts.join(", ")}: name a source after a crawl or an annotator, not after a sample`;
}

function countOf(values: readonly (string | null)[]): number {
  return new Set(values).size;
}
