/** A worker thread of the engine process. It opens the folder's trees with its first job and answers the jobs in order. */
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../../errors.js";
import type { ModelFolder } from "../../model-folder.js";
import type { TreesAnswer, TreesJob } from "../protocol.js";
import { openTrees, type TreesSession } from "./trees-session.js";

const port = parentPort;
if (port === null) throw new Error("trees-thread.js runs as a worker thread");

const folder: ModelFolder = workerData;

/** If opening failed, every further job fails too. A reload of the model starts a new process, which tries again. */
let session: Promise<TreesSession> | null = null;

async function answer({ job, matrix }: TreesJob): Promise<TreesAnswer> {
  try {
    session ??= openTrees(folder);
    return { type: "trees_done", job, values: await (await session).run(matrix) };
  } catch (error) {
    return { type: "trees_failed", job, reason: messageOf(error) };
  }
}

// The jobs run one after another, also those that arrive while the session is being opened.
let last: Promise<void> = Promise.resolve();
port.on("message", (job: TreesJob) => {
  last = last.then(async () => port.postMessage(await answer(job)));
});
