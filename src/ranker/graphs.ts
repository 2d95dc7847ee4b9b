import { AssayError } from "../errors.js";
import type { Manifest } from "./manifest.js";
import type { AskedMatrix, Precision, Wanted } from "./port.js";

/** Graphs of a model folder that the engine runs, as the manifest names them. A folder may have others. */
export const GRAPHS = ["forward", "forward.int8", "norms", "tangent", "accumulate", "attribution"] as const;

export type Graph = (typeof GRAPHS)[number];

/** What is computed for a row. All rows of a batch have the same work. */
export interface Work {
  readonly graph: Graph;
  /** Further matrices that the request asked for. */
  readonly asked: readonly AskedMatrix[];
  /** Digest of the direction of `tangent`, name of the sums of `accumulate`; null for the others. */
  readonly operand: string | null;
}

/**
 * The cost of a token in each graph, in tokens of `forward`. Measured on one thread and on two, with batches of 256 to 1,024
 * tokens of Chorus pairs (models/README.md). Queues, deadlines and Retry-After use these units.
 */
export const COST: Readonly<Record<Graph, number>> = {
  forward: 1,
  "forward.int8": 1,
  norms: 2.5,
  tangent: 3.4,
  accumulate: 3.3,
  attribution: 2.3,
};

export function workOf(wanted: Wanted): Work {
  const { asked = [] } = wanted;
  switch (wanted.graph) {
    case "forward":
      return { graph: forwardGraph(wanted.precision), asked, operand: null };
    case "norms":
      return { graph: "norms", asked, operand: null };
    case "tangent":
      return { graph: "tangent", asked, operand: wanted.direction.digest };
  }
}

export function forwardGraph(precision: Precision): Graph {
  return precision === "int8" ? "forward.int8" : "forward";
}

/** A text that is equal for rows that may share a batch. */
export function kindOf({ graph, asked, operand }: Work): string {
  return `${graph} ${asked.join()} ${operand ?? ""}`;
}

/** Throws `unsuitable_graph` if the folder's graphs lack a matrix that is asked for. */
export function checkAsked({ name, embedding }: Manifest, asked: readonly AskedMatrix[]): void {
  if (!asked.includes("embedding") || embedding !== undefined) return;
  throw new AssayError("unsuitable_graph", {
    detail: `Model ${name} gives no embedding: make its graphs again with python -m assay.export graphs`,
  });
}

/** The file of a graph. Throws `unsuitable_graph` if the folder lacks the graph. */
export function graphFile(manifest: Manifest, graph: Graph): string {
  const file = manifest.graphs[graph];
  if (file !== undefined) return file;
  const { gradients } = manifest.precision as { gradients?: { unsupported?: unknown } };
  const why = typeof gradients?.unsupported === "string" ? `: ${gradients.unsupported}` : "";
  throw new AssayError("unsuitable_graph", { detail: `Model ${manifest.name} has no ${graph}.onnx${why}` });
}
