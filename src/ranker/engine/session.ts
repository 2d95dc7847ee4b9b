import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { graphFile, type ModelFolder } from "../model-folder.js";
import type { Precision } from "../port.js";
import type { TokenisedText } from "../tokeniser.js";

/** A forward graph that is loaded and runs. */
export interface ForwardSession {
  /** Runs one padded batch: logits (B, K) row-major and ‖h‖² (B). */
  run(rows: readonly TokenisedText[]): Promise<{ logits: Float32Array; featureNormsSquared: Float32Array }>;
}

/** Loads the forward graph of a precision on the CPU; `threads` is the number of threads inside one operator. */
export async function openForwardSession(
  folder: ModelFolder,
  precision: Precision,
  threads: number,
): Promise<ForwardSession> {
  const { manifest, directory } = folder;
  const session = await InferenceSession.create(join(directory, graphFile(manifest, precision)), {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
  });
  return {
    async run(rows) {
      const tokens = rows.reduce((longest, row) => Math.max(longest, row.ids.length), 0);
      const feeds: Record<string, Tensor> = {};
      for (const name of manifest.inputs) {
        feeds[name] = new Tensor("int64", padded(rows, tokens, name, manifest.padding), [
          rows.length,
          tokens,
        ]);
      }
      const answer = await session.run(feeds, ["logits", "features"]);
      const logits = answer.logits?.data as Float32Array;
      const features = answer.features?.data as Float32Array;
      return { logits, featureNormsSquared: rowNormsSquared(features, rows.length) };
    },
  };
}

type Input = ModelFolder["manifest"]["inputs"][number];

/** (B × T) of one input. Filled in a loop: `BigInt64Array.from` is 90 times slower. */
function padded(
  rows: readonly TokenisedText[],
  tokens: number,
  name: Input,
  padding: ModelFolder["manifest"]["padding"],
): BigInt64Array {
  const data = new BigInt64Array(rows.length * tokens);
  const filler = BigInt(name === "input_ids" ? padding.id : name === "token_type_ids" ? padding.type_id : 0);
  if (filler !== 0n) data.fill(filler);
  rows.forEach((row, r) => {
    const start = r * tokens;
    const source = name === "input_ids" ? row.ids : row.typeIds;
    for (let t = 0; t < row.ids.length; t++) {
      data[start + t] = name === "attention_mask" ? 1n : BigInt(source[t] as number);
    }
  });
  return data;
}

/** (B) sums of squares of a (B, H) matrix, added in float64. */
function rowNormsSquared(matrix: Float32Array, rows: number): Float32Array {
  const width = matrix.length / rows;
  return Float32Array.from({ length: rows }, (_, r) => {
    let sum = 0;
    for (let i = r * width; i < (r + 1) * width; i++) sum += (matrix[i] as number) ** 2;
    return sum;
  });
}
