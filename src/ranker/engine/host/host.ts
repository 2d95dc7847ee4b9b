import { AssayError, asAssayError } from "../../../errors.js";
import type { Priority } from "../../batch-planner.js";
import { processMemory } from "../../memory.js";
import { parameterCount } from "../../parameters.js";
import type { DirectionVector, RankerState } from "../../port.js";
import type { BatchFacts, Device, EngineOutputs, EngineSetup, RunPart, ToEngine } from "../protocol.js";
import { abortReason } from "./abort.js";
import { type Death, type EngineMessage, startChild } from "./child.js";
import { createDirections } from "./directions.js";
import type { FatalTexts } from "./fatal-texts.js";
import { createOpenRuns } from "./open-runs.js";
import { accumulationLost, createOpenSums } from "./open-sums.js";
import { startWithRestarts } from "./restarts.js";
import type { RunRequest } from "./run-progress.js";
import { createTreesJobs } from "./trees.js";
import { withoutPaths } from "./without-paths.js";

export interface HostRequest extends RunRequest {
  /** The vector of `tangent`; null for the other graphs. */
  readonly direction: DirectionVector | null;
}

export interface EngineHostOptions {
  readonly setup: EngineSetup;
  readonly fatalTexts: FatalTexts;
  readonly onBatch: (facts: BatchFacts) => void;
  /** Called with the characters and tokens of texts that the tokenizer has counted and not cut. */
  readonly onTokenised: (characters: number, tokens: number) => void;
  /** Called on every change of state, for the log and the metrics. */
  readonly onState: (state: RankerState) => void;
  /** Called with the full text of a fault if it names paths, which answers do not contain. */
  readonly onFault: (reason: string) => void;
  /** The process ended, although nobody asked it to. */
  readonly onDeath: (reason: string) => void;
  /** Called with the device in use. `missing` says why it is not the requested one. */
  readonly onDevice: (device: Device, missing: string | null) => void;
  /** Each session multiplies the weights out for itself, which takes more memory, because they cannot be shared. */
  readonly onUnshared: (reason: string) => void;
  /** The number of waiting tokens has changed. */
  readonly onQueue: () => void;
}

/**
 * The service's side of an engine process. It sends work to the process. If the process dies, it sends the rest to the next one.
 */
export interface EngineHost {
  state(): RankerState;
  /** The first state that is not `loading`. */
  settled(): Promise<RankerState>;
  /** The number of tokens that wait or run, of one priority or of both. */
  tokens(priority?: Priority): number;
  /**
   * Waits while the engine loads. If the engine dies, the unfinished rows run again in the next one. Throws `model_not_ready` if
   * the model cannot be loaded, `text_refused` for a text that crashes the engine, and, if the signal aborts, its reason or
   * `cancelled`.
   */
  run(request: HostRequest, signal: AbortSignal): Promise<EngineOutputs>;
  /** Bytes of memory that the process takes; null if it is not ready, or the system does not tell. */
  memoryBytes(): Promise<number | null>;
  /** Begins sums of gradients. `accumulate` runs name the sums that they add to. Throws `overloaded` if too many are open. */
  openSums(): HostSums;
  /** The trees' answers (N) to a matrix (N, F). Waits and throws as `run` does. */
  learned(matrix: Float32Array, signal: AbortSignal): Promise<Float32Array>;
  /** Waits until all runs have finished, then ends the process. */
  close(): Promise<void>;
}

/** Sums over the parameters in the engine process. Once they are lost or closed, every use throws `accumulation_lost`. */
export interface HostSums {
  /** Runs that add to them have this operand. */
  readonly name: string;
  check(): void;
  norm(): Promise<number>;
  /** Entries from `at` on, times `scale`. */
  read(at: number, length: number, scale: number): Promise<Float32Array>;
  /** Releases them, and rejects the runs that still add to them. */
  close(why: string): void;
}

export function startEngineHost(options: EngineHostOptions): EngineHost {
  const { setup } = options;
  const runs = createOpenRuns(options);
  const openSums = createOpenSums(tell);
  const directions = createDirections(
    () => engine.child(),
    parameterCount(setup.folder.manifest) * Float32Array.BYTES_PER_ELEMENT,
  );
  /** The vectors of the runs that need a direction, by run. */
  const vectors = new Map<number, DirectionVector>();
  const treesJobs = createTreesJobs((job) => {
    if (isReady()) tell(job);
  }, settleDrain);
  let closing = false;
  let drained: (() => void) | null = null;
  const engine = startWithRestarts({
    start: (onDeath) => startChild(setup, receive, onDeath),
    onState: options.onState,
    onDeath: died,
    onGivenUp: giveUp,
    isNeeded: () => !(closing && isIdle()),
  });

  function tell(message: ToEngine): void {
    engine.child().tell(message);
  }

  function isReady(): boolean {
    return engine.state().status === "ready";
  }

  function receive(told: EngineMessage): void {
    const message = cleaned(told);
    switch (message.type) {
      case "ready":
        options.onDevice(message.device, message.missing);
        engine.ready();
        sendParts(runs.left());
        treesJobs.sendLeft();
        return;
      case "unshared":
        options.onUnshared(message.reason);
        return;
      case "trees_done":
        treesJobs.done(message);
        return;
      case "trees_failed":
        treesJobs.failed(message.job, message.reason);
        return;
      case "failed":
        engine.invalid(message.reason);
        return;
      case "answer":
        openSums.receive(message);
        return;
      case "finished":
        engine.worked();
        options.onBatch(message.facts);
    }
    sendParts(runs.receive(message));
    settleDrain();
  }

  /** The message with a reason that contains no paths, for answers. The log gets the full reason. */
  function cleaned(message: EngineMessage): EngineMessage {
    if (!("reason" in message)) return message;
    const reason = withoutPaths(message.reason, setup.folder.directory);
    if (reason !== message.reason) options.onFault(message.reason);
    return { ...message, reason };
  }

  function isIdle(): boolean {
    return runs.size() === 0 && treesJobs.size() === 0;
  }

  function settleDrain(): void {
    if (isIdle()) drained?.();
  }

  function sendParts(parts: readonly RunPart[]): void {
    for (const part of parts) {
      const { graph, operand } = part.work;
      const direction = vectors.get(part.run);
      if (direction !== undefined) void sendAlong(part, direction);
      else {
        if (graph === "accumulate") openSums.begin(operand as string);
        sendPart(part);
      }
    }
  }

  function sendPart(part: RunPart): void {
    runs.sent(part.run);
    tell({ type: "run", ...part });
  }

  /** Sends a part once the process has its direction. */
  async function sendAlong(part: RunPart, direction: DirectionVector): Promise<void> {
    const to = engine.child();
    try {
      // If the process has died in the meantime, the next process gets everything that is left.
      if ((await directions.hold(part.run, direction)) && to === engine.child()) sendPart(part);
    } catch (error) {
      if (to !== engine.child()) return;
      runs.reject(part.run, asAssayError(error));
      settleDrain();
    }
  }

  function loseSums(reason: string): void {
    for (const name of openSums.lost(reason)) runs.rejectOperand(name, accumulationLost(reason));
  }

  /** The refusal of a run. If another start would not help, it says that a reload may. */
  function notReady(reason: string): AssayError {
    const help = engine.isInvalid() ? "; reload the model to try again" : "";
    return new AssayError("model_not_ready", { detail: `The model is not ready: ${reason}${help}` });
  }

  function giveUp(reason: string): void {
    for (const { run } of runs.left()) runs.reject(run, notReady(reason));
    treesJobs.giveUp(notReady(reason));
    drained?.();
  }

  function died({ reason, killed }: Death, wasReady: boolean): void {
    options.onDeath(reason);
    directions.lost();
    loseSums(reason);
    if (!wasReady) return;
    runs.crashed({ killed });
    treesJobs.crashed();
  }

  function refuseIfOver(signal: AbortSignal): void {
    if (signal.aborted) throw abortReason(signal);
    if (closing) throw new AssayError("shutting_down");
    const state = engine.state();
    if (state.status === "failed") throw notReady(state.reason);
  }

  return {
    state: engine.state,
    settled: engine.settled,
    tokens: runs.tokens,
    async memoryBytes() {
      const { pid } = engine.child();
      return isReady() && pid !== undefined ? processMemory(pid) : null;
    },
    async run(request, signal) {
      refuseIfOver(signal);
      options.fatalTexts.check(request.texts);
      if (request.work.graph === "accumulate") openSums.check(request.work.operand as string);
      const { run, outputs } = runs.add(request);
      if (request.direction !== null) vectors.set(run, request.direction);
      const abort = (): void => {
        tell({ type: "cancel", run });
        runs.reject(run, abortReason(signal));
        settleDrain();
      };
      signal.addEventListener("abort", abort, { once: true });
      try {
        if (isReady()) sendParts(runs.left(run));
        return await outputs;
      } finally {
        signal.removeEventListener("abort", abort);
        if (vectors.delete(run)) directions.release(run);
      }
    },
    openSums() {
      const name = openSums.open();
      return {
        name,
        check: () => openSums.check(name),
        norm: () => openSums.norm(name),
        read: (at, length, scale) => openSums.read(name, at, length, scale),
        close(why) {
          const adding = runs.rejectOperand(name, accumulationLost(why));
          for (const run of adding) tell({ type: "cancel", run });
          openSums.close(name, why);
          settleDrain();
        },
      };
    },
    async learned(matrix, signal) {
      refuseIfOver(signal);
      return treesJobs.ask(matrix, signal);
    },
    async close() {
      closing = true;
      if (!isIdle()) {
        await new Promise<void>((resolve) => {
          drained = resolve;
        });
      }
      loseSums("the model is closing");
      await engine.end();
    },
  };
}
