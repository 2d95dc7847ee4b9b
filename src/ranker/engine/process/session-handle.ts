import { Worker } from "node:worker_threads";
import type { Graph, Work } from "../../graphs.js";
import type { Matrices } from "../protocol.js";
import type { PaddedBatch } from "../session/padding.js";
import type { SessionThreadData, ThreadAnswer, ThreadJob, ThreadMessage } from "../session/session-thread.js";
import type { SharedSums } from "../session/shared-sums.js";
import type { WeightsSource } from "./weights-source.js";

const THREAD_MODULE = new URL("../session/session-thread.js", import.meta.url);

/** The main thread's side of one session thread, which takes one job at a time. */
export interface SessionHandle {
  /** Opens the session of a graph, so that its first batch does not wait for it. Rejects if it cannot be opened. */
  open(work: Work): Promise<void>;
  /** Runs a batch. Its inputs are moved to the thread. Rejects with the session's error, or with `GraphFault`. */
  run(
    work: Work,
    batch: PaddedBatch,
    coefficients: Float32Array | null,
  ): Promise<{ outputs: Matrices; inferMs: number }>;
  /** Moves the vector to the thread. Every later batch can use it. */
  keepDirection(digest: string, vector: Float32Array<ArrayBuffer>): void;
  forgetDirection(digest: string): void;
  keepSums(name: string, sums: SharedSums): void;
  forgetSums(name: string): void;
  /** Ends the thread. Do not call this while a batch runs in it, because that would abort the process. */
  close(): Promise<void>;
}

/** The graph cannot run, with any batch. */
export class GraphFault extends Error {}

export function startSession(data: SessionThreadData, source: WeightsSource): SessionHandle {
  const worker = new Worker(THREAD_MODULE, { workerData: data });
  const directories = new Map<Graph, string>();
  // If the thread fails outside of a job, the process ends, and the service starts another.
  worker.on("error", (error) => {
    throw error;
  });

  function tell(message: ThreadMessage, moved: ArrayBuffer[] = []): void {
    worker.postMessage(message, moved);
  }

  async function ask(asked: Omit<ThreadJob, "directory">): Promise<Exclude<ThreadAnswer, { error: string }>> {
    const { graph } = asked.work;
    // Without a wait where it is known: the thread gets its batch before the messages of this turn are sent.
    const directory = directories.get(graph) ?? (await source.directoryOf(graph));
    directories.set(graph, directory);
    const job: ThreadJob = { ...asked, directory };
    const answered = new Promise<ThreadAnswer>((resolve) => worker.once("message", resolve));
    const inputs = job.batch === null ? [] : Object.values(job.batch.inputs);
    tell(
      { type: "job", ...job },
      inputs.map(({ buffer }) => buffer),
    );
    const answer = await answered;
    if ("error" in answer) throw new (answer.of === "graph" ? GraphFault : Error)(answer.error);
    return answer;
  }

  return {
    async open(work) {
      await ask({ work, batch: null, coefficients: null });
    },
    async run(work, batch, coefficients) {
      const { outputs, inferMs } = await ask({ work, batch, coefficients });
      return { outputs: outputs as Matrices, inferMs };
    },
    keepDirection: (digest, vector) => tell({ type: "keep_direction", digest, vector }, [vector.buffer]),
    forgetDirection: (digest) => tell({ type: "forget_direction", digest }),
    keepSums: (name, sums) => tell({ type: "keep_sums", name, sums }),
    forgetSums: (name) => tell({ type: "forget_sums", name }),
    async close() {
      await worker.terminate();
    },
  };
}
