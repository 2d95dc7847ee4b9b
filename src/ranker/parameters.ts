import { type Manifest, scopeNames } from "./manifest.js";

/**
 * The place of a parameter in a vector over the parameters of the gradient scope, in entries. Order: the manifest's. Shape:
 * PyTorch's.
 */
export interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
  /** Whether token ids select rows of this parameter. The gradient of all other rows is zero. */
  readonly rowsById: boolean;
}

/** The part of a manifest that says what a vector over the parameters of the gradient scope is made of. */
export type Layout = Pick<Manifest, "parameters" | "architecture" | "gradient_scope">;

export function placesOf(layout: Layout): Place[] {
  const { parameters, architecture } = layout;
  const listed = new Set(scopeNames(layout));
  const inScope = listed.size === 0 ? parameters : parameters.filter(({ name }) => listed.has(name));
  let to = 0;
  return inScope.map(({ name, shape }) => {
    const from = to;
    to += shape.reduce((product, size) => product * size, 1);
    return { name, shape, from, to, rowsById: isTable({ name, shape }, architecture) };
  });
}

/** Whether token ids select rows of a parameter. */
export function isTable(
  { name, shape }: Pick<Place, "name" | "shape">,
  architecture: Manifest["architecture"],
): boolean {
  return name.endsWith("word_embeddings.weight") && shape[0] === architecture.vocab_size;
}

/** Entries of a vector over the parameters of the gradient scope. */
export function parameterCount(layout: Layout): number {
  return placesOf(layout).at(-1)?.to ?? 0;
}

/**
 * A vector over the parameters of the gradient scope as a graph's inputs or outputs, named `prefix.NAME` for each parameter. They
 * are views, not copies.
 */
export function operandsOf(
  prefix: "direction" | "gradient",
  layout: Layout,
  vector: Float32Array,
): Record<string, { data: Float32Array; shape: readonly number[] }> {
  return Object.fromEntries(
    placesOf(layout).map(({ name, shape, from, to }) => [
      `${prefix}.${name}`,
      { data: vector.subarray(from, to), shape },
    ]),
  );
}
