/** A worker thread of the engine process that opens the folder's trees with its first job, and answers each in turn. */
import { parentPort, workerData } from "node:worker_threads";
import { messageOf } from "../../../errors.js";
import type { ModelFolder } from "../../model-folder.js";
import type { TreesAnswer, TreesJob } from "../protocol.js";
import { openTrees, type TreesSession } from "./trees-session.js";

const port = parentPort;
if (port === null) throw new Error("trees-thread.js runs as a worker thread");

const folder: ModelFolder = workerData;

/** One that failed fails again: a reload of the model is what may help. */
let session: Promise<TreesSession> | null = null;

async function answer({ job, matrix }: TreesJob): Promise<TreesAnswer> {
  try {
    session ??= openTrees(folder);
    return { type: "trees_done", job, values: await (await session).run(matrix) };
  } catch (error) {
    return { type: "trees_failed", job, reason: messageOf(error) };
  }
}

// One after another, also those that came while the session was opened.
let last: Promise<void> = Promise.resolve();
port.on("message", (job: TreesJob) => {
  last = last.then(async () => port.postMessage(await answer(job)));
});
