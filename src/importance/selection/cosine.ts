import { scaleOf } from "./projection.js";
import type { Embeddings } from "./types.js";

/** The cosine of two members' embeddings, after their mean was subtracted; 0 if either of them equals the mean. In [−1, 1]. */
export type Cosine = (a: number, b: number) => number;

/**
 * Centred cosines, by position among the members, without a centred copy of the embeddings: ⟨x − μ, y − μ⟩ = ⟨x, y⟩ − ⟨x, μ⟩ −
 * ⟨y, μ⟩ + ‖μ‖². Embeddings of one model share a large mean, and cosines without centring are all near 1. 24 bytes a member.
 *
 * @param members (n) indices
 * @param mean (D) of the members' embeddings
 */
export function centredCosine(members: Uint32Array, embeddings: Embeddings, mean: Float64Array): Cosine {
  const { values, width } = embeddings;
  const scales = Float64Array.from(members, (index) => scaleOf(embeddings, index));
  const alongMean = new Float64Array(members.length);
  const norms = new Float64Array(members.length);
  for (const [position, index] of members.entries()) {
    const from = index * width;
    const scale = scales[position] as number;
    let along = 0;
    let squared = 0;
    for (let d = 0; d < width; d += 1) {
      const x = scale * (values[from + d] as number);
      const m = mean[d] as number;
      along += x * m;
      squared += (x - m) * (x - m);
    }
    alongMean[position] = along;
    norms[position] = Math.sqrt(squared);
  }
  const meanSquared = mean.reduce((total, m) => total + m * m, 0);
  return (a, b) => {
    const norm = (norms[a] as number) * (norms[b] as number);
    if (norm === 0) return 0;
    const product = dot(values, (members[a] as number) * width, (members[b] as number) * width, width);
    const scaled = product * (scales[a] as number) * (scales[b] as number);
    const centred = scaled - (alongMean[a] as number) - (alongMean[b] as number) + meanSquared;
    return Math.max(-1, Math.min(1, centred / norm));
  };
}

/** The inner product of two rows of `width` entries. */
function dot(values: Float32Array | Int8Array, a: number, b: number, width: number): number {
  let t0 = 0;
  let t1 = 0;
  let t2 = 0;
  let t3 = 0;
  let d = 0;
  for (; d + 4 <= width; d += 4) {
    t0 += (values[a + d] as number) * (values[b + d] as number);
    t1 += (values[a + d + 1] as number) * (values[b + d + 1] as number);
    t2 += (values[a + d + 2] as number) * (values[b + d + 2] as number);
    t3 += (values[a + d + 3] as number) * (values[b + d + 3] as number);
  }
  for (; d < width; d += 1) t0 += (values[a + d] as number) * (values[b + d] as number);
  return t0 + t1 + (t2 + t3);
}
