import { AssayError } from "../../../errors.js";
import type { TreesAnswer, TreesJob } from "../protocol.js";
import { abortReason } from "./abort.js";

/** Matrices that wait for the trees of an engine process. They outlive the process, so that the next one answers them. */
export interface TreesJobs {
  size(): number;
  /** The trees' answers (N) to a matrix (N, F). Throws `engine_failed`, the error of `giveUp`, and the reason of the signal. */
  ask(matrix: Float32Array, signal: AbortSignal): Promise<Float32Array>;
  /** Sends all open jobs to a process that has just become ready. */
  sendLeft(): void;
  done(answer: Extract<TreesAnswer, { type: "trees_done" }>): void;
  failed(job: number, reason: string): void;
  /** The process has ended. Jobs that were open at two such ends are rejected. */
  crashed(): void;
  /** Rejects all open jobs. */
  giveUp(error: AssayError): void;
}

const CRASHES_MAX = 2;

interface Waiting {
  readonly message: TreesJob;
  readonly resolve: (values: Float32Array) => void;
  readonly reject: (error: AssayError) => void;
  crashes: number;
}

/** `send` may drop a job while no process is ready. `onSettled` is called after each job that was answered or rejected. */
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
      reject(job, engineFailed(`The learned model cannot run: ${reason}; reload the model to try again`));
    },
    crashed() {
      for (const [job, one] of waiting) {
        one.crashes += 1;
        if (one.crashes >= CRASHES_MAX)
          reject(job, engineFailed("The engine process ended twice while the learned model ran"));
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
