import { Worker } from "node:worker_threads";
import type { ModelFolder } from "../../model-folder.js";
import type { TreesAnswer, TreesJob } from "../protocol.js";

const THREAD_MODULE = new URL("../session/trees-thread.js", import.meta.url);

/** The folder's trees, on a thread of their own that starts with the first job. */
export interface Trees {
  run(job: TreesJob): void;
  /** Whether a job is under way: ending the process would abort it. */
  busy(): boolean;
}

/** Each job is answered by `onAnswer`, once. */
export function createTrees(folder: ModelFolder, onAnswer: (answer: TreesAnswer) => void): Trees {
  let thread: Worker | null = null;
  let underWay = 0;

  function start(): Worker {
    const worker = new Worker(THREAD_MODULE, { workerData: folder });
    worker.on("message", (answer: TreesAnswer) => {
      underWay -= 1;
      onAnswer(answer);
    });
    // As for a session thread: the process ends, and the service starts another.
    worker.on("error", (error) => {
      throw error;
    });
    return worker;
  }

  return {
    run(job) {
      underWay += 1;
      thread ??= start();
      // A copy, and not the matrix itself moved: it lies in a buffer that other messages of the service lie in too.
      thread.postMessage(job);
    },
    busy: () => underWay > 0,
  };
}
