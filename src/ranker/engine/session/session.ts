import { join } from "node:path";
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { AssayError } from "../../../errors.js";
import { type Graph, graphFile } from "../../graphs.js";
import type { Manifest } from "../../manifest.js";
import type { Device } from "../protocol.js";
import { packsWeights } from "./packs-weights.js";

// Errors are thrown and reported once. Without this the runtime would print them too, in colours.
env.logLevel = "fatal";

/** An input or output array of a graph, row-major. Its type is int64 or float32. */
export interface Operand {
  readonly data: BigInt64Array | Float32Array;
  readonly shape: readonly number[];
}

export type Operands = Readonly<Record<string, Operand>>;

/** A loaded graph. */
export interface Session {
  /** Names of its outputs. */
  readonly outputs: readonly string[];
  /**
   * Answers the outputs `wanted`, and those that `into` names, which are written there. The others may be in memory of the
   * runtime, which cannot be passed to another thread. An output that is not named costs no copy.
   */
  run(
    inputs: Operands,
    wanted: readonly string[],
    into?: Operands,
  ): Promise<Readonly<Record<string, Float32Array>>>;
}

export interface SessionOptions {
  readonly graph: Graph;
  readonly device: Device;
  /** Threads inside one operator. */
  readonly threads: number;
  /** With the graph's file and its weights. */
  readonly directory: string;
}

/** Loads a graph on a device. Loading and every run block the thread. */
export async function openSession(
  manifest: Manifest,
  { graph, device, threads, directory }: SessionOptions,
): Promise<Session> {
  const session = await InferenceSession.create(join(directory, graphFile(manifest, graph)), {
    executionProviders: [device.kind === "cpu" ? "cpu" : { name: "cuda", deviceId: device.index }],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    // With memory patterns the runtime keeps a memory plan for every batch shape that it has seen. For the backward graphs this
    // takes 50 to 160 MB and does not make them faster.
    enableMemPattern: graph === "forward" || graph === "forward.int8",
    // Threads spin long enough to wait for the next operator (without spinning, a single text takes a fifth longer), and short
    // enough to leave the cores to the event loop between batches.
    extra: {
      session: {
        intra_op: { spin_duration_us: "100" },
        ...(device.kind === "cpu" && !packsWeights(graph, manifest) && { disable_prepacking: "1" }),
      },
    },
  });
  return {
    outputs: session.outputNames,
    async run(inputs, wanted, into = {}) {
      const fetched = Object.fromEntries(wanted.map((name) => [name, null]));
      const answer = await session.run(tensorsOf(inputs), { ...fetched, ...tensorsOf(into) });
      return Object.fromEntries(
        Object.entries(answer).map(([name, { data, type }]) => {
          if (data instanceof Float32Array) return [name, data];
          throw new AssayError("model_invalid", {
            detail: `${graph}: output ${name} is ${type}, not float32`,
          });
        }),
      );
    },
  };
}

/** An output by its name. Throws `model_invalid` if the graph has no such output. */
export function outputNamed(answer: Readonly<Record<string, Float32Array>>, name: string): Float32Array {
  const output = answer[name];
  if (output === undefined)
    throw new AssayError("model_invalid", { detail: `The graph has no output ${name}` });
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
