import { join } from "node:path";
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { graphFile, type ModelFolder } from "../model-folder.js";
import type { Precision } from "../port.js";
import type { PaddedBatch } from "./padding.js";
import type { Device } from "./protocol.js";

// What fails is thrown, and told once; the runtime would print it in colours besides.
env.logLevel = "fatal";

/** What a session says of a batch: logits (B, K) row-major and ‖h‖² (B). */
export interface SessionOutputs {
  readonly logits: Float32Array<ArrayBuffer>;
  readonly featureNormsSquared: Float32Array<ArrayBuffer>;
}

/** A forward graph that is loaded and runs. */
export interface ForwardSession {
  run(batch: PaddedBatch): Promise<SessionOutputs>;
}

export interface SessionOptions {
  readonly precision: Precision;
  readonly device: Device;
  /** Threads inside one operator. */
  readonly threads: number;
}

/** Loads the forward graph of a precision on a device. Blocks its thread, and so does every run. */
export async function openForwardSession(
  { manifest, directory }: ModelFolder,
  { precision, device, threads }: SessionOptions,
): Promise<ForwardSession> {
  const session = await InferenceSession.create(join(directory, graphFile(manifest, precision)), {
    executionProviders: [device.kind === "cpu" ? "cpu" : { name: "cuda", deviceId: device.index }],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    // Long enough to be there for the next operator (without spinning one text takes a fifth longer), and short enough
    // to leave the cores to the event loop between batches.
    extra: { session: { intra_op: { spin_duration_us: "100" } } },
  });
  return {
    async run({ rows, shape, inputs }) {
      const feeds: Record<string, Tensor> = {};
      for (const [name, data] of Object.entries(inputs)) feeds[name] = new Tensor("int64", data, [...shape]);
      const answer = await session.run(feeds, ["logits", "features"]);
      const logits = answer.logits?.data as Float32Array;
      const features = answer.features?.data as Float32Array;
      const [height] = shape;
      return {
        // Copies: the arrays may lie in memory of the runtime, which cannot be handed to another thread.
        logits: logits.slice(0, (logits.length / height) * rows) as Float32Array<ArrayBuffer>,
        featureNormsSquared: rowNormsSquared(features, features.length / height, rows),
      };
    },
  };
}

/** (N) sums of squares of the first N rows of a matrix, added in float64. */
function rowNormsSquared(matrix: Float32Array, width: number, rows: number): Float32Array<ArrayBuffer> {
  const norms = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let i = r * width; i < (r + 1) * width; i++) sum += (matrix[i] as number) ** 2;
    norms[r] = sum;
  }
  return norms;
}
