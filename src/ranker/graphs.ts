import { AssayError } from "../errors.js";
import type { Manifest } from "./manifest.js";
import type { AskedMatrix, Precision, Wanted } from "./port.js";

/** Graphs of a model folder, as its manifest names them. */
export type Graph = "forward" | "forward.int8" | "norms" | "tangent" | "accumulate";

/** What a row is run for; the rows of one batch share all of it. */
export interface Work {
  readonly graph: Graph;
  /** What the rows answer too, because it was asked for. */
  readonly asked: readonly AskedMatrix[];
  /** Digest of the direction of `tangent`, name of the sums of `accumulate`; null for the others. */
  readonly operand: string | null;
}

/**
 * What a token costs in a graph, in tokens of `forward`: on one thread and on two, batches of 256 to 1,024 tokens of Chorus
 * pairs (models/README.md). Queues, deadlines and Retry-After count in these.
 */
export const COST: Readonly<Record<Graph, number>> = {
  forward: 1,
  "forward.int8": 1,
  norms: 2.5,
  tangent: 3.4,
  accumulate: 3.3,
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

/** Equal for rows that may share a batch. */
export function kindOf({ graph, asked, operand }: Work): string {
  return `${graph} ${asked.join()} ${operand ?? ""}`;
}

/** File of a graph; throws `unsuitable_graph` where the folder has none. */
export function graphFile(manifest: Manifest, graph: Graph): string {
  const file = manifest.graphs[graph];
  if (file !== undefined) return file;
  const { gradients } = manifest.precision as { gradients?: { unsupported?: unknown } };
  const why = typeof gradients?.unsupported === "string" ? `: ${gradients.unsupported}` : "";
  throw new AssayError("unsuitable_graph", { detail: `Model ${manifest.name} has no ${graph}.onnx${why}` });
}
