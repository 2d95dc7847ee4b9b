/**
 * A worker thread of the engine process with the sessions of one device: it opens them when they are asked for and runs one
 * batch at a time, so that the process's main thread tokenises and plans meanwhile.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Graph, Work } from "../graphs.js";
import { checkDigests, type ModelFolder } from "../model-folder.js";
import type { PaddedBatch } from "./padding.js";
import type { Device, Matrices } from "./protocol.js";
import { checkSelfTest, type SelfTestBatch } from "./self-test.js";
import { openSession, type Session } from "./session.js";

export interface SessionThreadData {
  readonly folder: ModelFolder;
  readonly device: Device;
  readonly threads: number;
  /** What each graph but the first one answers right before it serves. */
  readonly selfTest: SelfTestBatch;
}

/** Opens the session of a graph; with a batch, runs it too. */
export interface ThreadJob {
  readonly work: Work;
  readonly batch: PaddedBatch | null;
}

export type ThreadAnswer =
  | { readonly outputs: Matrices | null; readonly inferMs: number }
  /** `graph`: it cannot be opened, whatever the batch. */
  | { readonly error: string; readonly of: "rows" | "graph" };

const port = parentPort;
if (port === null) throw new Error("session-thread.js runs as a worker thread");
const { folder, device, threads, selfTest } = workerData as SessionThreadData;
const sessions = new Map<Graph, Promise<Session>>();

async function open(graph: Graph): Promise<Session> {
  const isFirst = sessions.size === 0;
  // The files may have been replaced since the first session was opened, and one run must not mix two versions.
  if (!isFirst) await checkDigests(folder);
  const session = await openSession(folder, { graph, device, threads });
  if (!isFirst) {
    const { logits } = await session.run(selfTest.batch, false);
    checkSelfTest(folder, selfTest.samples, logits as Float32Array, {
      exact: graph !== "forward.int8" && device.kind === "cpu",
    });
  }
  return session;
}

async function answer({ work, batch }: ThreadJob): Promise<ThreadAnswer> {
  let session: Session;
  try {
    // One that failed fails again without another look at the files: a reload of the model is what may help.
    let opening = sessions.get(work.graph);
    if (opening === undefined) {
      opening = open(work.graph);
      sessions.set(work.graph, opening);
    }
    session = await opening;
  } catch (error) {
    return { error: (error as Error).message, of: "graph" };
  }
  try {
    const startedAtMs = performance.now();
    const outputs = batch === null ? null : await session.run(batch, work.features);
    return { outputs, inferMs: performance.now() - startedAtMs };
  } catch (error) {
    return { error: (error as Error).message, of: "rows" };
  }
}

port.on("message", async (job: ThreadJob) => port.postMessage(await answer(job)));
