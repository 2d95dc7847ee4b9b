import { type ChildProcess, fork } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { RUNTIME_ENVIRONMENT } from "../../runtime-environment.js";
import type { EngineSetup, FromEngine, ToEngine } from "../protocol.js";

/** The compiled module, also if this file runs from source in a test, because the engine is a separate Node process. */
const ENGINE_MODULE = fileURLToPath(
  new URL("../../../../dist/ranker/engine/process/process.js", import.meta.url),
);

/** Environment of an engine process on a CUDA device. */
const CUDA_ENVIRONMENT = {
  // On Ampere and later, ONNX Runtime rounds the factors of fp32 products to TF32, and its Node binding has no option to prevent
  // this. Logits would differ by up to 1e-3 from the CPU's, which are in the same cache (docs/gpu.md).
  NVIDIA_TF32_OVERRIDE: "0",
};

/**
 * Environment of every engine process, which the user's own overrides. Sessions free large buffers while they are opened: weights
 * that they multiply out or pack. By default glibc raises the size from which it gives freed memory back at once, to that of the
 * largest of these, and the process keeps 150 MB with the shipped model. A fixed size, glibc's first one, prevents this. Other C
 * libraries ignore the variable.
 */
const MEMORY_ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: "131072" };

/** The engine's main thread never blocks for long. A process that leaves this many pings unanswered hangs, and is killed. */
const PING_MS = 5000;
const PINGS_UNANSWERED_MAX = 4;

/** A process that was asked to end is killed after this time. */
const LEAVE_MS_MAX = 5000;

/** Messages of an engine process that are for others than this module. */
export type EngineMessage = Exclude<FromEngine, { type: "pong" | "scratch" }>;

/** The end of an engine process. */
export interface Death {
  readonly reason: string;
  /** Whether a signal from outside killed it, so that its work may not be the cause. */
  readonly killed: boolean;
}

/** A running engine process. */
export interface EngineChild {
  /** Undefined if the process could not be started. */
  readonly pid: number | undefined;
  /** Sends a message. A message to a process that has just died is lost. */
  tell(message: ToEngine): void;
  /** The same, but resolves when the channel has taken the message, so that a long stream of messages does not pile up. */
  push(message: ToEngine): Promise<void>;
  /** Asks it to end, kills it if it does not, and waits until it is gone. */
  end(): Promise<void>;
}

/** The running processes with their temporary directories. */
const alive = new Map<ChildProcess, string | null>();
// A suspended engine process (SIGSTOP) does not notice that its service is gone, so the service kills it at its own exit.
process.on("exit", () => {
  for (const [child, scratch] of alive) {
    child.kill("SIGKILL");
    removeScratch(scratch);
  }
});

/** An engine process removes its directory itself if it notices its end. */
function removeScratch(directory: string | null): void {
  if (directory !== null) rmSync(directory, { recursive: true, force: true });
}

/** `onDeath` is called once, after the last message, however the process ends. */
export function startChild(
  setup: EngineSetup,
  onMessage: (message: EngineMessage) => void,
  onDeath: (death: Death) => void,
): EngineChild {
  const child = fork(ENGINE_MODULE, {
    serialization: "advanced",
    // Standard output is only for the results of commands. What a library prints there goes to standard error, like the log.
    stdio: ["ignore", 2, 2, "ipc"],
    env: {
      ...MEMORY_ENVIRONMENT,
      ...(setup.device.kind === "cuda" ? CUDA_ENVIRONMENT : {}),
      ...process.env,
      ...RUNTIME_ENVIRONMENT,
    },
  });
  alive.set(child, null);
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
    removeScratch(alive.get(child) ?? null);
    alive.delete(child);
    if (dead) return;
    dead = true;
    onDeath(death);
  }

  child.on("message", (messages: readonly FromEngine[]) => {
    unanswered = 0;
    for (const message of messages) {
      if (message.type === "scratch") alive.set(child, message.directory);
      else if (message.type !== "pong") onMessage(message);
    }
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
    pid: child.pid,
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
