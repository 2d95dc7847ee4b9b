import type { Manifest } from "../../manifest.js";
import { specialIds } from "../../tokeniser.js";
import type { Matrices } from "../protocol.js";
import { type PaddedBatch, textInputs } from "./padding.js";
import { openSession, outputNamed, type SessionOptions } from "./session.js";

/** The attribution graph: how much each token moves each logit, at one point between a baseline and the text. */
export interface AttributionSession {
  /**
   * `logits` (N, K) at the point e0 + α(e − e0), and `attribution` (N, K, max_tokens): Σ_d (e − e0)·∂z/∂e of each token, 0 behind
   * the end of a text. The baseline e0 has padding in place of every token but the special ones.
   *
   * @param alpha (B)
   */
  run(batch: PaddedBatch, alpha: Float32Array): Promise<Matrices>;
}

export async function openAttributionSession(
  manifest: Manifest,
  options: Omit<SessionOptions, "graph">,
): Promise<AttributionSession> {
  const session = await openSession(manifest, { ...options, graph: "attribution" });
  const specials = specialIds(manifest);
  const padding = BigInt(manifest.padding.id);
  const { classes, max_tokens: tokensMax } = manifest;
  return {
    async run(batch, alpha) {
      const [height, width] = batch.shape;
      const ids = batch.inputs.input_ids ?? new BigInt64Array(0);
      const baseline = ids.map((id) => (specials.has(Number(id)) ? id : padding));
      const inputs = {
        ...textInputs(batch),
        baseline_ids: { data: baseline, shape: batch.shape },
        alpha: { data: alpha, shape: [height] },
      };
      const answer = await session.run(inputs, ["logits", "attribution"]);
      return {
        logits: outputNamed(answer, "logits").slice(0, batch.rows * classes),
        attribution: widened(outputNamed(answer, "attribution"), batch.rows * classes, width, tokensMax),
      };
    },
  };
}

/** (R, T) as (R, `to`), with zeros behind, so that texts of several lengths are rows of one matrix. */
function widened(matrix: Float32Array, rows: number, width: number, to: number): Float32Array {
  const wide = new Float32Array(rows * to);
  for (let r = 0; r < rows; r++) wide.set(matrix.subarray(r * width, (r + 1) * width), r * to);
  return wide;
}
