import type { Graph } from "../../graphs.js";
import { type Manifest, WEIGHTS_FILE } from "../../manifest.js";
import { GRADIENT_GRAPHS } from "../../port.js";
import { weightBytes } from "../../weight-bytes.js";

/** Size from which memory counts for more than the last per cent of speed. The shipped model's weights are below it. */
export const MAPPED_BYTES_MIN = 64 * 2 ** 20;

/**
 * Whether a session of the graph packs its weights anew for its products. A session that does not reads them from the mapped
 * file, whose pages all sessions of the process share. Packing makes `forward` 6% faster with full batches and 30% faster with a
 * single text, and the gradient graphs no faster (6×384 and 12×384, two cores).
 */
export function packsWeights(graph: Graph, manifest: WeightsLayout): boolean {
  if (GRADIENT_GRAPHS.some((gradients) => gradients === graph)) return false;
  return mappableBytes(graph, manifest) < MAPPED_BYTES_MIN;
}

/** Whether the graphs multiply int8 weights by their scales. */
export function hasScales({ parameters }: Pick<Manifest, "parameters">): boolean {
  return parameters.some(({ scale }) => scale !== null);
}

/** The part of a manifest that says how large the weights are, and whether they have scales. */
type WeightsLayout = Pick<Manifest, "parameters" | "architecture" | "files">;

/** Bytes of float32 weights that sessions of a graph can map from a file. The int8 graph has no products in float32. */
function mappableBytes(graph: Graph, manifest: WeightsLayout): number {
  if (manifest.parameters.length === 0) return 0;
  if (!hasScales(manifest)) return manifest.files[WEIGHTS_FILE]?.bytes ?? 0;
  return graph === "forward.int8" ? 0 : weightBytes(manifest).matrices;
}
