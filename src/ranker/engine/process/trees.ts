import { Worker } from "node:worker_threads";
import type { ModelFolder } from "../../model-folder.js";
import type { TreesAnswer, TreesJob } from "../protocol.js";

const THREAD_MODULE = new URL("../session/trees-thread.js", import.meta.url);

/** The folder's trees, on a separate thread that starts with the first job. */
export interface Trees {
  run(job: TreesJob): void;
  /** Whether a job runs. An exit of the process would then abort it with a core dump. */
  busy(): boolean;
}

/** Calls `onAnswer` once for each job. */
export function createTrees(folder: ModelFolder, onAnswer: (answer: TreesAnswer) => void): Trees {
  let thread: Worker | null = null;
  let underWay = 0;

  function start(): Worker {
    const worker = new Worker(THREAD_MODULE, { workerData: folder });
    worker.on("message", (answer: TreesAnswer) => {
      underWay -= 1;
      onAnswer(answer);
    });
    // As with a session thread, the process ends, and the service starts another.
    worker.on("error", (error) => {
      throw error;
    });
    return worker;
  }

  return {
    run(job) {
      underWay += 1;
      thread ??= start();
      // The job is copied and not moved, because its matrix shares a buffer with other messages of the service.
      thread.postMessage(job);
    },
    busy: () => underWay > 0,
  };
}
