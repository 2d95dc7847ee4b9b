import { parentPort, workerData } from "node:worker_threads";
import { openStore, type StoreSettings } from "../../compose-store.js";
import { AssayError, asAssayError } from "../../errors.js";
import { openIndexes } from "../../scoring/looks/indexes.js";
import { WORKS, type WorkInput, type WorkKind } from "../kinds.js";
import type { FromThread, ThrownError, ToThread } from "./protocol.js";

// The thread of jobs or of looks: it opens a store of its own, so that neither reading nor arithmetic holds up the thread that answers.

const port = parentPort;
if (port === null) throw new Error("This module is the thread of jobs or of looks");

/** The share of progress that is worth a message. */
const PROGRESS_STEP = 0.01;

const { digestKey, ...settings }: StoreSettings = workerData;
const opened = openStore(
  // Between threads a buffer becomes a plain array of bytes.
  { ...settings, digestKey: digestKey && Buffer.from(digestKey) },
  // The connection of the service itself is logged.
  { onChange: () => undefined },
);
const ports = opened.then((store) => ({ store, indexes: openIndexes(store) }));
const controllers = new Map<number, AbortController>();
const underWay = new Set<Promise<void>>();

function say(message: FromThread): void {
  port?.postMessage(message);
}

async function run<K extends WorkKind>(id: number, kind: K, input: WorkInput<K>): Promise<void> {
  const controller = new AbortController();
  controllers.set(id, controller);
  let said = 0;
  const onProgress = (progress: number): void => {
    if (progress - said < PROGRESS_STEP) return;
    said = progress;
    say({ id, progress });
  };
  try {
    const result = await WORKS[kind](await ports, input, {
      signal: controller.signal,
      onProgress,
    });
    say({ id, result });
  } catch (error) {
    say({ id, error: thrown(error) });
  } finally {
    controllers.delete(id);
  }
}

function thrown(error: unknown): ThrownError {
  const { code, detail, faults, retryAfterMs, stack, cause } = asAssayError(error);
  const trace = cause instanceof Error ? `${stack}\n${cause.stack}` : stack;
  return { code, detail, faults, retryAfterMs, stack: trace };
}

port.on("message", (message: ToThread) => {
  if ("cancel" in message) {
    controllers.get(message.cancel)?.abort(new AssayError("cancelled"));
    return;
  }
  if ("close" in message) {
    void end();
    return;
  }
  const work = run(message.id, message.kind, message.input);
  underWay.add(work);
  void work.finally(() => underWay.delete(work));
});

async function end(): Promise<void> {
  await Promise.all(underWay);
  await (await opened).close();
  port?.close();
}
