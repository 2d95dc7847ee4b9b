import type { Manifest } from "./manifest.js";
import { isTable } from "./parameters.js";

/** Bytes of a folder's weights. */
export interface WeightBytes {
  /** Tables whose rows token ids select, as they are stored. */
  readonly tables: number;
  /** All other weights, in float32. */
  readonly matrices: number;
  /** All weights, as they are stored. */
  readonly stored: number;
}

/** An imported folder lists no parameters: its graphs and the files beside them hold the weights. */
export function weightBytes({
  parameters,
  architecture,
  files,
}: Pick<Manifest, "parameters" | "architecture" | "files">): WeightBytes {
  if (parameters.length === 0) {
    const stored = Object.entries(files)
      .filter(([name]) => !name.endsWith(".json"))
      .reduce((sum, [, { bytes }]) => sum + bytes, 0);
    return { tables: 0, matrices: stored, stored };
  }
  const bytes = { tables: 0, matrices: 0, stored: 0 };
  for (const { name, shape, length } of parameters) {
    const entries = shape.reduce((product, size) => product * size, 1);
    if (isTable({ name, shape }, architecture)) bytes.tables += length;
    else bytes.matrices += Float32Array.BYTES_PER_ELEMENT * entries;
    bytes.stored += length;
  }
  return bytes;
}
