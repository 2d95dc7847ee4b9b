import type { Manifest } from "./manifest.js";

/** Where a parameter lies in a vector over all of them, in entries: the manifest's order, each as PyTorch shapes it. */
export interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
  /** Rows that ids choose among; the gradient of the others is zero. */
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

/** A vector over all parameters as inputs or outputs of a graph, `prefix.NAME` for each parameter: views, not copies. */
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
