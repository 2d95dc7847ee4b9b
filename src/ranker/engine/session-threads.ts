import { Worker } from "node:worker_threads";
import type { Work } from "../graphs.js";
import type { PaddedBatch } from "./padding.js";
import type { Matrices } from "./protocol.js";
import type { SessionThreadData, ThreadAnswer, ThreadJob } from "./session-thread.js";

const THREAD_MODULE = new URL("./session-thread.js", import.meta.url);

/** The main thread's end of one session thread; it takes one job at a time. */
export interface SessionThread {
  /** Opens the session of a graph, so that its first batch does not wait. Rejects where it cannot be opened. */
  open(work: Work): Promise<void>;
  /** Runs a batch, whose inputs move to the thread. Rejects with what the session threw, or `GraphFault`. */
  run(work: Work, batch: PaddedBatch): Promise<{ outputs: Matrices; inferMs: number }>;
  /** Ends the thread. Never while a batch runs in it: that would abort the process. */
  close(): Promise<void>;
}

/** The graph itself cannot run, whatever the batch. */
export class GraphFault extends Error {}

export function startSessionThread(data: SessionThreadData): SessionThread {
  const worker = new Worker(THREAD_MODULE, { workerData: data });
  // A thread that ends has failed in a way that no batch answers for: the process ends, and the service starts another.
  worker.on("error", (error) => {
    throw error;
  });

  async function ask(job: ThreadJob): Promise<Exclude<ThreadAnswer, { error: string }>> {
    const answered = new Promise<ThreadAnswer>((resolve) => worker.once("message", resolve));
    const inputs = job.batch === null ? [] : Object.values(job.batch.inputs);
    worker.postMessage(
      job,
      inputs.map(({ buffer }) => buffer),
    );
    const answer = await answered;
    if ("error" in answer) throw new (answer.of === "graph" ? GraphFault : Error)(answer.error);
    return answer;
  }

  return {
    async open(work) {
      await ask({ work, batch: null });
    },
    async run(work, batch) {
      const { outputs, inferMs } = await ask({ work, batch });
      return { outputs: outputs as Matrices, inferMs };
    },
    async close() {
      await worker.terminate();
    },
  };
}
