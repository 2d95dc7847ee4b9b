import { join } from "node:path";
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { AssayError } from "../../../errors.js";
import { type Graph, graphFile } from "../../graphs.js";
import type { ModelFolder } from "../../model-folder.js";
import type { Device } from "../protocol.js";

// What fails is thrown, and told once; the runtime would print it in colours besides.
env.logLevel = "fatal";

/** An array as a graph takes it, int64 or float32 by its type, row-major. */
export interface Operand {
  readonly data: BigInt64Array | Float32Array;
  readonly shape: readonly number[];
}

export type Operands = Readonly<Record<string, Operand>>;

/** A graph that is loaded and runs. */
export interface Session {
  /** Names of what it answers. */
  readonly outputs: readonly string[];
  /**
   * Answers every output. Those of `into` are written there; the others may lie in memory of the runtime, which cannot be
   * handed to another thread.
   */
  run(inputs: Operands, into?: Operands): Promise<Readonly<Record<string, Float32Array>>>;
}

export interface SessionOptions {
  readonly graph: Graph;
  readonly device: Device;
  /** Threads inside one operator. */
  readonly threads: number;
}

/** Loads a graph on a device. Blocks its thread, and so does every run. */
export async function openSession(
  { manifest, directory }: ModelFolder,
  { graph, device, threads }: SessionOptions,
): Promise<Session> {
  const session = await InferenceSession.create(join(directory, graphFile(manifest, graph)), {
    executionProviders: [device.kind === "cpu" ? "cpu" : { name: "cuda", deviceId: device.index }],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    // The runtime would keep a plan of its memory for each shape of batch that ever came: 50 to 160 MB with the backward
    // graphs, which are no faster for it.
    enableMemPattern: graph === "forward" || graph === "forward.int8",
    // Long enough to be there for the next operator (without spinning one text takes a fifth longer), and short enough
    // to leave the cores to the event loop between batches.
    extra: { session: { intra_op: { spin_duration_us: "100" } } },
  });
  return {
    outputs: session.outputNames,
    async run(inputs, into = {}) {
      const wanted = Object.fromEntries(session.outputNames.map((name) => [name, null]));
      const answer = await session.run(tensorsOf(inputs), { ...wanted, ...tensorsOf(into) });
      return Object.fromEntries(
        Object.entries(answer).map(([name, { data, type }]) => {
          if (data instanceof Float32Array) return [name, data];
          throw new AssayError("model_invalid", { detail: `${graph}: ${name} is of ${type}, not float32` });
        }),
      );
    },
  };
}

/** An output by its name; throws `model_invalid` where the graph has none of that name. */
export function outputNamed(answer: Readonly<Record<string, Float32Array>>, name: string): Float32Array {
  const output = answer[name];
  if (output === undefined)
    throw new AssayError("model_invalid", { detail: `a graph has no output ${name}` });
  return output;
}

function tensorsOf(operands: Operands): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, { data, shape }] of Object.entries(operands)) {
    tensors[name] =
      data instanceof Float32Array
        ? new Tensor("float32", data, [...shape])
        : new Tensor("int64", data, [...shape]);
  }
  return tensors;
}
