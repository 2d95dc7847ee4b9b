import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { AssayError } from "../../errors.js";
import type { Outputs, Precision, RankerState, Text } from "../port.js";
import type { BatchFacts, FromEngine, ToEngine } from "./protocol.js";

/** Compiled, also when this file runs from source in a test: the engine is a process of its own. */
const ENGINE_MODULE = fileURLToPath(new URL("../../../dist/ranker/engine/process.js", import.meta.url));

/** Waiting time before the n-th restart in a row: doubles from here to a minute. */
const RESTART_DELAY_MS = 500;
const RESTART_DELAY_MAX_MS = 60_000;

export interface EngineHostOptions {
  readonly directory: string;
  readonly precision: Precision;
  readonly threads: number;
  readonly onBatch: (facts: BatchFacts) => void;
  /** Called on every change of state, for the log and the metrics. */
  readonly onState: (state: RankerState) => void;
}

/** The service's end of an engine process: starts it, speaks to it, starts it again when it dies. */
export interface EngineHost {
  state(): RankerState;
  /** Process id of the engine, undefined while none runs. */
  pid(): number | undefined;
  run(texts: readonly Text[], precision: Precision, signal: AbortSignal): Promise<Outputs>;
  close(): Promise<void>;
}

interface Waiting {
  readonly resolve: (outputs: Outputs) => void;
  readonly reject: (error: Error) => void;
}

export function startEngineHost(options: EngineHostOptions): EngineHost {
  const waiting = new Map<number, Waiting>();
  let state: RankerState = { status: "loading", reason: "the model is loading" };
  let nextRun = 1;
  let failuresInARow = 0;
  let closing = false;
  let restart: NodeJS.Timeout | undefined;
  let child = start();

  function setState(next: RankerState): void {
    state = next;
    options.onState(next);
  }

  function start(): ChildProcess {
    const started = fork(ENGINE_MODULE, {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    started.on("message", (message: FromEngine) => receive(message));
    started.on("error", (error) => ended(`the engine process cannot run: ${error.message}`));
    started.on("exit", (code, signal) =>
      ended(`the engine process ended (${signal ?? `exit code ${code}`})`),
    );
    const { directory, precision, threads } = options;
    tell(started, { type: "load", directory, precision, threads });
    return started;
  }

  function receive(message: FromEngine): void {
    switch (message.type) {
      case "ready":
        failuresInARow = 0;
        setState({ status: "ready" });
        break;
      case "failed":
        setState({ status: "failed", reason: message.reason });
        break;
      case "batch":
        options.onBatch(message);
        break;
      case "done":
        settle(message.run, ({ resolve }) => resolve(message.outputs));
        break;
      case "refused": {
        const error = new AssayError("engine_failed", { detail: message.reason });
        settle(message.run, ({ reject }) => reject(error));
      }
    }
  }

  function settle(run: number, how: (waiting: Waiting) => void): void {
    const found = waiting.get(run);
    waiting.delete(run);
    if (found !== undefined) how(found);
  }

  function ended(reason: string): void {
    for (const run of [...waiting.keys()]) {
      settle(run, ({ reject }) => reject(new AssayError("engine_failed", { detail: reason })));
    }
    if (closing || restart !== undefined) return;
    const delayMs = Math.min(RESTART_DELAY_MAX_MS, RESTART_DELAY_MS * 2 ** failuresInARow);
    failuresInARow += 1;
    setState({ status: "failed", reason: `${reason}; it starts again in ${delayMs / 1000} s` });
    restart = setTimeout(() => {
      restart = undefined;
      setState({ status: "loading", reason: "the model is loading again" });
      child = start();
    }, delayMs);
  }

  return {
    state: () => state,
    pid: () => child.pid,
    async run(texts, precision, signal) {
      if (signal.aborted) throw new AssayError("cancelled");
      if (closing) throw new AssayError("shutting_down");
      if (state.status !== "ready")
        throw new AssayError("model_not_ready", { detail: `The model is not ready: ${state.reason}` });
      const run = nextRun++;
      const abort = (): void => {
        tell(child, { type: "cancel", run });
        settle(run, ({ reject }) => reject(new AssayError("cancelled")));
      };
      try {
        return await new Promise<Outputs>((resolve, reject) => {
          waiting.set(run, { resolve, reject });
          signal.addEventListener("abort", abort, { once: true });
          tell(child, { type: "run", run, texts, precision });
        });
      } finally {
        signal.removeEventListener("abort", abort);
      }
    },
    async close() {
      closing = true;
      clearTimeout(restart);
      while (waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, 10));
      if (child.exitCode !== null || child.signalCode !== null || !child.connected) return;
      const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      child.disconnect();
      await exited;
    },
  };
}

/** A message to a process that has just died is lost; its exit event settles what waited for it. */
function tell(child: ChildProcess, message: ToEngine): void {
  if (child.connected) child.send(message, () => undefined);
}
