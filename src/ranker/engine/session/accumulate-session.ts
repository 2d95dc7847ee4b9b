import type { Manifest } from "../../manifest.js";
import { operandsOf, parameterCount, placesOf } from "../../parameters.js";
import { type PaddedBatch, textInputs } from "./padding.js";
import { openSession, outputNamed, type SessionOptions } from "./session.js";
import { addTo, type SharedSums } from "./shared-sums.js";

/** The accumulate graph. It keeps one vector, into which the runtime writes each batch's gradient. */
export interface AccumulateSession {
  /**
   * Adds Σ_i Σ_k c_ik ∇z_ik of the batch to `sums`, unless that is null. c (B, K) is 0 for rows that fill the batch up.
   * Answers logits (B, K).
   */
  run(batch: PaddedBatch, coefficients: Float32Array, sums: SharedSums | null): Promise<Float32Array>;
}

export async function openAccumulateSession(
  manifest: Manifest,
  options: Omit<SessionOptions, "graph">,
): Promise<AccumulateSession> {
  const session = await openSession(manifest, { ...options, graph: "accumulate" });
  const places = placesOf(manifest);
  const gradient = new Float32Array(parameterCount(manifest));
  const into = operandsOf("gradient", manifest, gradient);
  return {
    async run(batch, coefficients, sums) {
      const [height] = batch.shape;
      const coefficient = { data: coefficients, shape: [height, coefficients.length / height] };
      const answer = await session.run({ ...textInputs(batch), coefficient }, ["logits"], into);
      if (sums !== null)
        addTo(sums, gradient, places, new Set(Array.from(batch.inputs.input_ids ?? [], Number)));
      return outputNamed(answer, "logits").slice();
    },
  };
}
