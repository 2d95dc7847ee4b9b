/**
 * A worker thread of the engine process that holds sessions on one device. It opens each session on demand and runs one batch at
 * a time, so that the main thread is free to tokenise and plan.
 */
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../../errors.js";
import { checkDigests } from "../../digests.js";
import type { Graph, Work } from "../../graphs.js";
import type { ModelFolder } from "../../model-folder.js";
import { operandsOf } from "../../parameters.js";
import type { Device, Matrices } from "../protocol.js";
import { openAccumulateSession } from "./accumulate-session.js";
import { openAttributionSession } from "./attribution-session.js";
import type { PaddedBatch } from "./padding.js";
import { openRowsSession } from "./rows-session.js";
import { checkSelfTest, closenessOf, type SelfTestBatch } from "./self-test.js";
import type { Operands } from "./session.js";
import type { SharedSums } from "./shared-sums.js";

export interface SessionThreadData {
  readonly folder: ModelFolder;
  readonly device: Device;
  readonly threads: number;
  /** Every graph except the first one has to pass this before it serves. */
  readonly selfTest: readonly SelfTestBatch[];
}

/** Opens the session of a graph. If there is a batch, runs it too. */
export interface ThreadJob {
  readonly work: Work;
  /** From which the graph's session is opened, if it is not open yet. */
  readonly directory: string;
  readonly batch: PaddedBatch | null;
  /** (B, K) coefficients of accumulate, (B, 1) α of attribution. */
  readonly coefficients: Float32Array | null;
}

/** The thread answers each job, in order. It does not answer the other messages. */
export type ThreadMessage =
  | ({ readonly type: "job" } & ThreadJob)
  | { readonly type: "keep_direction"; readonly digest: string; readonly vector: Float32Array }
  | { readonly type: "forget_direction"; readonly digest: string }
  | { readonly type: "keep_sums"; readonly name: string; readonly sums: SharedSums }
  | { readonly type: "forget_sums"; readonly name: string };

export type ThreadAnswer =
  | { readonly outputs: Matrices | null; readonly inferMs: number }
  /** `graph`: the graph cannot be opened, so no batch can run. */
  | { readonly error: string; readonly of: "rows" | "graph" };

/** Runs a batch on the graph that was opened. */
type RunBatch = (batch: PaddedBatch, work: Work, coefficients: Float32Array | null) => Promise<Matrices>;

const port = parentPort;
if (port === null) throw new Error("session-thread.js runs as a worker thread");
const { folder, device, threads, selfTest }: SessionThreadData = workerData;
const opened = new Map<Graph, Promise<RunBatch>>();
const directions = new Map<string, Operands>();
const sums = new Map<string, SharedSums>();

async function open(graph: Graph, directory: string): Promise<RunBatch> {
  const isFirst = opened.size === 0;
  // The files may have been replaced since the first session was opened, and one run must not mix two versions.
  if (!isFirst) await checkDigests(folder);
  const { run, logits } = await openGraph(graph, directory);
  if (isFirst) return run;
  for (const { batch, samples } of selfTest) {
    checkSelfTest(folder, samples, await logits(batch), closenessOf(graph, device));
  }
  return run;
}

function openGraph(graph: Graph, directory: string): Promise<OpenedGraph> {
  switch (graph) {
    case "accumulate":
      return openAccumulate(directory);
    case "attribution":
      return openAttribution(directory);
    default:
      return openRows(graph, directory);
  }
}

/** A session, and a function that answers only the logits, for the self-test. */
interface OpenedGraph {
  readonly run: RunBatch;
  readonly logits: (batch: PaddedBatch) => Promise<Float32Array | undefined>;
}

/** A graph that answers each row. */
async function openRows(graph: Graph, directory: string): Promise<OpenedGraph> {
  const session = await openRowsSession(folder.manifest, { graph, device, threads, directory });
  return {
    run: (batch, { asked, operand }) =>
      session.run(batch, asked, operand === null ? {} : found(directions, operand)),
    async logits(batch) {
      const anywhere = graph === "tangent" ? found(directions, [...directions.keys()][0] ?? "") : {};
      return (await session.run(batch, [], anywhere)).logits;
    },
  };
}

async function openAccumulate(directory: string): Promise<OpenedGraph> {
  const session = await openAccumulateSession(folder.manifest, { device, threads, directory });
  return {
    async run(batch, { operand }, coefficients) {
      await session.run(batch, coefficients as Float32Array, found(sums, operand as string));
      return {};
    },
    logits: (batch) => session.run(batch, new Float32Array(batch.shape[0] * folder.manifest.classes), null),
  };
}

async function openAttribution(directory: string): Promise<OpenedGraph> {
  const session = await openAttributionSession(folder.manifest, { device, threads, directory });
  return {
    run: (batch, _, alpha) => session.run(batch, alpha as Float32Array),
    async logits(batch) {
      return (await session.run(batch, new Float32Array(batch.shape[0]).fill(1))).logits;
    },
  };
}

function found<T>(kept: ReadonlyMap<string, T>, name: string): T {
  const one = kept.get(name);
  if (one === undefined) throw new Error(`the session thread was not given ${name}`);
  return one;
}

async function answer({ work, directory, batch, coefficients }: ThreadJob): Promise<ThreadAnswer> {
  let run: RunBatch;
  try {
    // A graph that failed to open fails again without another try. A reload of the model starts a new process, which tries again.
    let opening = opened.get(work.graph);
    if (opening === undefined) {
      opening = open(work.graph, directory);
      opened.set(work.graph, opening);
    }
    run = await opening;
  } catch (error) {
    return { error: messageOf(error), of: "graph" };
  }
  try {
    const startedAtMs = performance.now();
    const outputs = batch === null ? null : await run(batch, work, coefficients);
    return { outputs, inferMs: performance.now() - startedAtMs };
  } catch (error) {
    return { error: messageOf(error), of: "rows" };
  }
}

port.on("message", async (message: ThreadMessage) => {
  switch (message.type) {
    case "job":
      port.postMessage(await answer(message));
      break;
    case "keep_direction":
      directions.set(message.digest, operandsOf("direction", folder.manifest, message.vector));
      break;
    case "forget_direction":
      directions.delete(message.digest);
      break;
    case "keep_sums":
      sums.set(message.name, message.sums);
      break;
    case "forget_sums":
      sums.delete(message.name);
  }
});
