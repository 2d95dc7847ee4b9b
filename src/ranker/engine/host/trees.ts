import { AssayError } from "../../../errors.js";
import type { TreesAnswer, TreesJob } from "../protocol.js";
import { abortReason } from "./abort.js";

/** Matrices that wait for the trees of one engine process. It outlives the process, so that the next one answers them. */
export interface TreesJobs {
  size(): number;
  /** What the trees say (N) of a matrix (N, F). Throws `engine_failed`, and what `giveUp` and the signal tell. */
  ask(matrix: Float32Array, signal: AbortSignal): Promise<Float32Array>;
  /** Sends everything that is left to a process that has just become ready. */
  sendLeft(): void;
  done(answer: Extract<TreesAnswer, { type: "trees_done" }>): void;
  failed(job: number, reason: string): void;
  /** The process ended. What it ended under twice is given up. */
  crashed(): void;
  /** Rejects everything that is left. */
  giveUp(error: AssayError): void;
}

const CRASHES_MAX = 2;

interface Waiting {
  readonly message: TreesJob;
  readonly resolve: (values: Float32Array) => void;
  readonly reject: (error: AssayError) => void;
  crashes: number;
}

/** `send` may drop a job while no process is ready; `onSettled` is called after each that was answered or given up. */
export function createTreesJobs(send: (job: TreesJob) => void, onSettled: () => void): TreesJobs {
  const waiting = new Map<number, Waiting>();
  let next = 1;

  function settle(job: number, how: (one: Waiting) => void): void {
    const found = waiting.get(job);
    if (found === undefined) return;
    waiting.delete(job);
    how(found);
    onSettled();
  }

  function reject(job: number, error: AssayError): void {
    settle(job, (one) => one.reject(error));
  }

  return {
    size: () => waiting.size,
    async ask(matrix, signal) {
      const message: TreesJob = { type: "trees", job: next++, matrix };
      const abort = (): void => reject(message.job, abortReason(signal));
      signal.addEventListener("abort", abort, { once: true });
      try {
        return await new Promise<Float32Array>((resolve, reject) => {
          waiting.set(message.job, { message, resolve, reject, crashes: 0 });
          send(message);
        });
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
    sendLeft() {
      for (const { message } of waiting.values()) send(message);
    },
    done({ job, values }) {
      settle(job, ({ resolve }) => resolve(values));
    },
    failed(job, reason) {
      reject(job, engineFailed(`The learned model cannot run: ${reason}; a reload of the model tries again`));
    },
    crashed() {
      for (const [job, one] of waiting) {
        one.crashes += 1;
        if (one.crashes >= CRASHES_MAX)
          reject(job, engineFailed("The engine process ended twice under the learned model"));
      }
    },
    giveUp(error) {
      for (const job of [...waiting.keys()]) reject(job, error);
    },
  };
}

function engineFailed(detail: string): AssayError {
  return new AssayError("engine_failed", { detail });
}
