import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { AssayError, messageOf } from "../../errors.js";
import type { PaddedBatch } from "../engine/session/padding.js";
import { RUNTIME_ENVIRONMENT } from "../runtime-environment.js";

Object.assign(process.env, RUNTIME_ENVIRONMENT);

// Errors are thrown and reported once. Without this the runtime would print them too, in colours.
env.logLevel = "fatal";

/** A value of a graph, row-major. */
export interface Value {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** Gives the value of a name that was asked for. */
export type Answer = (name: string) => Value;

/** A loaded graph. */
export interface ProbeSession {
  /** The outputs of these names. Throws `model_invalid` if the graph fails, lacks one of them, or one is not float32. */
  run(batch: Pick<PaddedBatch, "shape" | "inputs">, names: readonly string[]): Promise<Answer>;
  close(): Promise<void>;
}

/** Loads a graph into this process, for a command that runs a few texts. Throws `model_invalid`. */
export async function openProbeSession(path: string): Promise<ProbeSession> {
  const session = await explained("ONNX Runtime does not load the graph", () =>
    InferenceSession.create(path, { executionProviders: ["cpu"], graphOptimizationLevel: "all" }),
  );
  return {
    async run({ shape, inputs }, names) {
      const feeds: Record<string, Tensor> = {};
      for (const [name, data] of Object.entries(inputs)) feeds[name] = new Tensor("int64", data, [...shape]);
      const answer = await explained("ONNX Runtime does not run the graph", () => session.run(feeds, names));
      const values = new Map(names.map((name) => [name, toValue(name, answer[name])]));
      return (name) => {
        const value = values.get(name);
        if (value === undefined) throw new AssayError("internal", { detail: `${name} was not asked for` });
        return value;
      };
    },
    close: () => session.release(),
  };
}

function toValue(name: string, tensor: Tensor | undefined): Value {
  if (tensor === undefined)
    throw new AssayError("model_invalid", { detail: `the graph has no output ${name}` });
  const { dims, data, type } = tensor;
  if (data instanceof Float32Array) return { dims, data: data.slice() };
  throw new AssayError("model_invalid", {
    detail: `the graph's output ${name} is ${type}, and Assay needs float32: import the float32 export`,
  });
}

async function explained<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new AssayError("model_invalid", { detail: `${what}: ${messageOf(cause)}`, cause });
  }
}
