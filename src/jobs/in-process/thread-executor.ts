import { Worker } from "node:worker_threads";
import type { StoreSettings } from "../../compose-store.js";
import { AssayError } from "../../errors.js";
import type { Hooks } from "../../scoring/datasets/long-work.js";
import type { WorkInput, WorkKind, WorkResult } from "../kinds.js";
import type { Executor } from "./executor.js";
import type { FromThread, ToThread } from "./protocol.js";

/** In tests, which run the sources, the compiled thread. */
const THREAD_MODULE = new URL("../../../dist/jobs/in-process/thread.js", import.meta.url);

/** Runs work in a thread that has a store of its own. The thread starts with the first work and then stays. */
export function openThreadExecutor(store: StoreSettings): Executor {
  let thread: { readonly worker: Worker; readonly exited: Promise<void> } | null = null;
  let next = 0;

  function started(): { readonly worker: Worker; readonly exited: Promise<void> } {
    if (thread !== null) return thread;
    const worker = new Worker(THREAD_MODULE, { workerData: store });
    const exited = new Promise<void>((resolve) => {
      worker.once("exit", () => {
        thread = null;
        resolve();
      });
    });
    worker.unref();
    thread = { worker, exited };
    return thread;
  }

  return {
    run<K extends WorkKind>(kind: K, input: WorkInput<K>, { signal, onProgress }: Hooks) {
      const { worker } = started();
      const id = next++;
      const send = (message: ToThread): void => worker.postMessage(message);
      return new Promise<WorkResult<K>>((resolve, reject) => {
        const cancel = (): void => send({ cancel: id });
        const failed = (cause: unknown): void => {
          stop();
          reject(new AssayError("internal", { detail: "The thread of the work ended", cause }));
        };
        const heard = (message: FromThread): void => {
          if (message.id !== id) return;
          if ("progress" in message) {
            onProgress(message.progress);
            return;
          }
          stop();
          if ("result" in message) resolve(message.result as WorkResult<K>);
          else reject(signal.aborted ? signal.reason : thrownOf(message));
        };
        function stop(): void {
          signal.removeEventListener("abort", cancel);
          worker.off("message", heard).off("error", failed).off("exit", failed);
        }
        worker.on("message", heard).once("error", failed).once("exit", failed);
        signal.addEventListener("abort", cancel);
        send({ id, kind, input });
      });
    },

    async close() {
      if (thread === null) return;
      const { worker, exited } = thread;
      worker.postMessage({ close: true } satisfies ToThread);
      await exited;
    },
  };
}

function thrownOf(message: Extract<FromThread, { error: unknown }>): Error {
  const { code, stack, ...details } = message.error;
  const cause = new Error(stack);
  return new AssayError(code, { ...details, cause });
}
