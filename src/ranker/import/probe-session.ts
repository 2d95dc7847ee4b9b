import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { AssayError } from "../../errors.js";
import type { PaddedBatch } from "../engine/session/padding.js";
import { RUNTIME_ENVIRONMENT } from "../runtime-environment.js";

Object.assign(process.env, RUNTIME_ENVIRONMENT);

// What fails is thrown, and told once; the runtime would print it in colours besides.
env.logLevel = "fatal";

/** A value of a graph, row-major. */
export interface Value {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** A graph of which any output can be asked. */
export interface ProbeSession {
  /** The values of these names; throws `model_invalid` where the graph fails, or one is not float32. */
  run<Name extends string>(
    batch: Pick<PaddedBatch, "shape" | "inputs">,
    names: readonly Name[],
  ): Promise<Record<Name, Value>>;
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
      return Object.fromEntries(names.map((name) => [name, toValue(name, answer[name] as Tensor)])) as Record<
        (typeof names)[number],
        Value
      >;
    },
    close: () => session.release(),
  };
}

function toValue(name: string, { type, dims, data }: Tensor): Value {
  if (type === "float32") return { dims, data: Float32Array.from(data as Float32Array) };
  throw new AssayError("model_invalid", {
    detail: `the graph's ${name} are of ${type}; Assay takes float32: import the float32 export`,
  });
}

async function explained<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new AssayError("model_invalid", { detail: `${what}: ${(cause as Error).message}`, cause });
  }
}
