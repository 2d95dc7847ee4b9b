import { join } from "node:path";
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { AssayError } from "../../errors.js";
import { type Graph, graphFile } from "../graphs.js";
import type { ModelFolder } from "../model-folder.js";
import { checkedGrams } from "./grams.js";
import type { PaddedBatch } from "./padding.js";
import type { Device, Matrices } from "./protocol.js";

// What fails is thrown, and told once; the runtime would print it in colours besides.
env.logLevel = "fatal";

/** A graph that is loaded and runs. */
export interface Session {
  /** What the graph says of the batch's rows; features only where they are asked for. */
  run(batch: PaddedBatch, features: boolean): Promise<Matrices>;
}

export interface SessionOptions {
  readonly graph: Graph;
  readonly device: Device;
  /** Threads inside one operator. */
  readonly threads: number;
}

/** Outputs of the graphs that answer each row, and what they are called beyond the session. */
const OUTPUTS = { logits: "logits", gram: "grams", tangent: "tangents" } as const;

/** Loads a graph on a device. Blocks its thread, and so does every run. */
export async function openSession(folder: ModelFolder, options: SessionOptions): Promise<Session> {
  const session = await createSession(folder, options);
  if (!session.outputNames.includes("features")) {
    throw new AssayError("model_invalid", {
      detail: `${options.graph}.onnx has no output "features": draw the folder's graphs again (python -m assay.export graphs)`,
    });
  }
  return {
    async run({ rows, shape, inputs }, features) {
      const answer = await session.run(feedsOf({ shape, inputs }));
      const [height] = shape;
      const hidden = answer.features?.data as Float32Array;
      const outputs: Record<string, Float32Array> = {
        featureNormsSquared: rowNormsSquared(hidden, hidden.length / height, rows),
        ...(features && { features: firstRows(hidden, height, rows) }),
      };
      for (const [name, key] of Object.entries(OUTPUTS)) {
        const matrix = answer[name]?.data as Float32Array | undefined;
        if (matrix !== undefined) outputs[key] = firstRows(matrix, height, rows);
      }
      if (outputs.grams !== undefined) outputs.grams = checkedGrams(outputs.grams, folder.manifest.classes);
      return outputs;
    },
  };
}

export function createSession(
  { manifest, directory }: ModelFolder,
  { graph, device, threads }: SessionOptions,
): Promise<InferenceSession> {
  return InferenceSession.create(join(directory, graphFile(manifest, graph)), {
    executionProviders: [device.kind === "cpu" ? "cpu" : { name: "cuda", deviceId: device.index }],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    // Long enough to be there for the next operator (without spinning one text takes a fifth longer), and short enough
    // to leave the cores to the event loop between batches.
    extra: { session: { intra_op: { spin_duration_us: "100" } } },
  });
}

export function feedsOf({ shape, inputs }: Pick<PaddedBatch, "shape" | "inputs">): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, data]) => [name, new Tensor("int64", data, [...shape])]),
  );
}

/** A copy: the array may lie in memory of the runtime, which cannot be handed to another thread. */
function firstRows(matrix: Float32Array, height: number, rows: number): Float32Array {
  return matrix.slice(0, (matrix.length / height) * rows);
}

/** (N) sums of squares of the first N rows of a matrix, added in float64. */
function rowNormsSquared(matrix: Float32Array, width: number, rows: number): Float32Array {
  const norms = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let i = r * width; i < (r + 1) * width; i++) sum += (matrix[i] as number) ** 2;
    norms[r] = sum;
  }
  return norms;
}
