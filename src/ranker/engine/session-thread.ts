/**
 * A worker thread of the engine process with the sessions of one device: it opens them when they are asked for and runs one
 * batch at a time, so that the process's main thread tokenises and plans meanwhile.
 */
import { parentPort, workerData } from "node:worker_threads";
import { checkDigests, type ModelFolder } from "../model-folder.js";
import type { Precision } from "../port.js";
import type { PaddedBatch } from "./padding.js";
import type { Device } from "./protocol.js";
import { type ForwardSession, openForwardSession, type SessionOutputs } from "./session.js";

export interface SessionThreadData {
  readonly folder: ModelFolder;
  readonly device: Device;
  readonly threads: number;
}

/** Opens the session of a precision; with a batch, runs it too. */
export interface ThreadJob {
  readonly precision: Precision;
  readonly batch: PaddedBatch | null;
}

export type ThreadAnswer =
  | { readonly outputs: SessionOutputs | null; readonly inferMs: number }
  | { readonly error: string };

const port = parentPort;
if (port === null) throw new Error("session-thread.js runs as a worker thread");
const { folder, device, threads } = workerData as SessionThreadData;
const sessions = new Map<Precision, ForwardSession>();

async function sessionOf(precision: Precision): Promise<ForwardSession> {
  let session = sessions.get(precision);
  if (session === undefined) {
    // The files may have been replaced since the first session was opened, and one run must not mix two versions.
    if (sessions.size > 0) await checkDigests(folder);
    session = await openForwardSession(folder, { precision, device, threads });
    sessions.set(precision, session);
  }
  return session;
}

async function answer({ precision, batch }: ThreadJob): Promise<ThreadAnswer> {
  try {
    const session = await sessionOf(precision);
    const startedAtMs = performance.now();
    const outputs = batch === null ? null : await session.run(batch);
    return { outputs, inferMs: performance.now() - startedAtMs };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

port.on("message", async (job: ThreadJob) => port.postMessage(await answer(job)));
