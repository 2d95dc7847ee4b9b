import type { Manifest } from "./manifest.js";

/** The place of a parameter in a vector over all parameters, in entries. Order: the manifest's. Shape: PyTorch's. */
export interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
  /** Whether token ids select rows of this parameter. The gradient of all other rows is zero. */
  readonly rowsById: boolean;
}

export function placesOf({
  parameters,
  architecture,
}: Pick<Manifest, "parameters" | "architecture">): Place[] {
  let to = 0;
  return parameters.map(({ name, shape }) => {
    const from = to;
    to += shape.reduce((product, size) => product * size, 1);
    const rowsById = name.endsWith("word_embeddings.weight") && shape[0] === architecture.vocab_size;
    return { name, shape, from, to, rowsById };
  });
}

/** Entries of a vector over all parameters. */
export function parameterCount(manifest: Pick<Manifest, "parameters" | "architecture">): number {
  return placesOf(manifest).at(-1)?.to ?? 0;
}

/**
 * A vector over all parameters as a graph's inputs or outputs, named `prefix.NAME` for each parameter. They are views, not
 * copies.
 */
export function operandsOf(
  prefix: "direction" | "gradient",
  manifest: Pick<Manifest, "parameters" | "architecture">,
  vector: Float32Array,
): Record<string, { data: Float32Array; shape: readonly number[] }> {
  return Object.fromEntries(
    placesOf(manifest).map(({ name, shape, from, to }) => [
      `${prefix}.${name}`,
      { data: vector.subarray(from, to), shape },
    ]),
  );
}
