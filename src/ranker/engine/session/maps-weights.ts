import { type Manifest, WEIGHTS_FILE } from "../../manifest.js";

/** Size from which memory counts for more than the last per cent of speed. The shipped model's weights are below it. */
const MAPPED_BYTES_MIN = 64 * 2 ** 20;

/**
 * Whether the sessions of a process share the weights. ONNX Runtime maps float32 weights from `weights.bin`, so that all sessions
 * and graphs read the same memory, unless each session packs them anew for its products. Packing makes `forward` up to 6% faster
 * and `norms` no faster (12×384, two cores). Weights with scales are multiplied out in each session, so they are never shared.
 */
export function mapsWeights({ parameters, files }: Pick<Manifest, "parameters" | "files">): boolean {
  const bytes = files[WEIGHTS_FILE]?.bytes ?? 0;
  return (
    bytes >= MAPPED_BYTES_MIN && parameters.length > 0 && parameters.every(({ scale }) => scale === null)
  );
}
