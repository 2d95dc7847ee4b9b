import type { Graph } from "../../graphs.js";
import { type Manifest, WEIGHTS_FILE } from "../../manifest.js";
import { GRADIENT_GRAPHS } from "../../port.js";

/** Where sessions read graphs and weights. */
export interface WeightsSource {
  readonly directory: string;
  /** For each graph the bytes of float32 weights that its sessions map from a file. 0 where each session multiplies its own out. */
  readonly mappedBytes: Readonly<Partial<Record<Graph, number>>>;
}

/** Size from which memory counts for more than the last per cent of speed. The shipped model's weights are below it. */
export const MAPPED_BYTES_MIN = 64 * 2 ** 20;

/**
 * Whether a session of the graph packs its weights anew for its products. A session that does not reads them from the mapped
 * file, whose pages all sessions of the process share. Packing makes `forward` 6% faster with full batches and 30% faster with a
 * single text, and the gradient graphs no faster (6×384 and 12×384, two cores).
 */
export function packsWeights(graph: Graph, { mappedBytes }: Pick<WeightsSource, "mappedBytes">): boolean {
  if (GRADIENT_GRAPHS.some((gradients) => gradients === graph)) return false;
  return (mappedBytes[graph] ?? 0) < MAPPED_BYTES_MIN;
}

/** The model folder itself as the source. ONNX Runtime maps its weights, except those with scales. */
export function folderSource(
  directory: string,
  { parameters, graphs, files }: Pick<Manifest, "parameters" | "graphs" | "files">,
): WeightsSource {
  const bytes = hasScales({ parameters }) || parameters.length === 0 ? 0 : (files[WEIGHTS_FILE]?.bytes ?? 0);
  return { directory, mappedBytes: Object.fromEntries(Object.keys(graphs).map((graph) => [graph, bytes])) };
}

/** Whether the graphs multiply weights out, which every session does for itself. */
export function hasScales({ parameters }: Pick<Manifest, "parameters">): boolean {
  return parameters.some(({ scale }) => scale !== null);
}
