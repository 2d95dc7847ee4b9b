import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { RUNTIME_ENVIRONMENT } from "../../runtime-environment.js";
import type { EngineSetup, FromEngine, ToEngine } from "../protocol.js";

/** Compiled, also when this file runs from source in a test: the engine is a process of its own. */
const ENGINE_MODULE = fileURLToPath(
  new URL("../../../../dist/ranker/engine/process/process.js", import.meta.url),
);

/** Environment of an engine process on a CUDA device. */
const CUDA_ENVIRONMENT = {
  // On Ampere and later ONNX Runtime rounds the factors of fp32 products to TF32, and its Node binding has no option against
  // it: logits would differ from the CPU's, with which they share a cache, by up to 1e-3 (docs/gpu.md).
  NVIDIA_TF32_OVERRIDE: "0",
};

/** The engine's main thread never works for long: one that leaves this many pings unanswered hangs, and is killed. */
const PING_MS = 5000;
const PINGS_UNANSWERED_MAX = 4;

/** Time to leave after being asked to, before it is killed. */
const LEAVE_MS_MAX = 5000;

/** What an engine process says of its own accord. */
export type EngineMessage = Exclude<FromEngine, { type: "pong" }>;

/** How an engine process ended. */
export interface Death {
  readonly reason: string;
  /** Somebody killed it, so that nothing that it was doing is to blame. */
  readonly killed: boolean;
}

/** A running engine process. */
export interface EngineChild {
  /** A message to a process that has just died is lost. */
  tell(message: ToEngine): void;
  /** The same; resolves when the channel has taken it, so that a long stream of them does not pile up. */
  push(message: ToEngine): Promise<void>;
  /** Asks it to leave, kills it if it does not, and waits until it is gone. */
  end(): Promise<void>;
}

const alive = new Set<ChildProcess>();
// A process that is stopped does not notice that its service is gone.
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** `onDeath` is called once, however the process ends; messages come before it. */
export function startChild(
  setup: EngineSetup,
  onMessage: (message: EngineMessage) => void,
  onDeath: (death: Death) => void,
): EngineChild {
  const child = fork(ENGINE_MODULE, {
    serialization: "advanced",
    // Standard output belongs to what a command answers; what a library prints there goes with the log.
    stdio: ["ignore", 2, 2, "ipc"],
    env: {
      ...(setup.device.kind === "cuda" ? CUDA_ENVIRONMENT : {}),
      ...process.env,
      ...RUNTIME_ENVIRONMENT,
    },
  });
  alive.add(child);
  let unanswered = 0;
  let hung = false;
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });

  const watch = setInterval(() => {
    if (unanswered < PINGS_UNANSWERED_MAX) {
      unanswered += 1;
      tell({ type: "ping" });
    } else {
      hung = true;
      child.kill("SIGKILL");
    }
  }, PING_MS);
  watch.unref();

  function tell(message: ToEngine): void {
    if (child.connected) child.send(message, () => undefined);
  }

  function push(message: ToEngine): Promise<void> {
    return new Promise((resolve) => {
      if (child.connected) child.send(message, () => resolve());
      else resolve();
    });
  }

  let dead = false;
  function die(death: Death): void {
    clearInterval(watch);
    alive.delete(child);
    if (dead) return;
    dead = true;
    onDeath(death);
  }

  child.on("message", (messages: readonly FromEngine[]) => {
    unanswered = 0;
    for (const message of messages) if (message.type !== "pong") onMessage(message);
  });
  child.on("error", (error) =>
    die({ reason: `the engine process cannot run: ${error.message}`, killed: false }),
  );
  child.on("exit", (code, signal) => {
    const silentMs = PING_MS * PINGS_UNANSWERED_MAX;
    const how = hung ? `did not answer for ${silentMs / 1000} s` : `ended (${signal ?? `exit code ${code}`})`;
    die({ reason: `the engine process ${how}`, killed: signal === "SIGKILL" || signal === "SIGTERM" });
  });
  tell({ type: "load", ...setup });

  return {
    tell,
    push,
    async end() {
      if (child.connected) child.disconnect();
      const late = setTimeout(() => child.kill("SIGKILL"), LEAVE_MS_MAX);
      await gone;
      clearTimeout(late);
    },
  };
}
