import { AssayError, asAssayError } from "../../../errors.js";
import { parameterCount } from "../../parameters.js";
import type { Priority } from "../../plan.js";
import type { DirectionVector, Outputs, RankerState } from "../../port.js";
import type { BatchFacts, Device, EngineSetup, RunPart } from "../protocol.js";
import { abortReason } from "./abort.js";
import { type Death, type EngineMessage, startChild } from "./child.js";
import { createDirections } from "./directions.js";
import type { FatalTexts } from "./fatal-texts.js";
import type { RunRequest } from "./run.js";
import { createRuns } from "./runs.js";
import { accumulationLost, createAccumulations } from "./sums.js";
import { createTreesJobs } from "./trees.js";
import { withoutPaths } from "./without-paths.js";

/** Waiting time before the n-th restart in a row: none, then doubling from here to a minute. */
const RESTART_DELAY_MS = 500;
const RESTART_DELAY_MAX_MS = 60_000;

/** Restarts in a row after which waiting runs are given up. */
const RESTARTS_MAX = 3;

export interface HostRequest extends RunRequest {
  /** The vector of `tangent`; null for the other graphs. */
  readonly direction: DirectionVector | null;
}

export interface EngineHostOptions {
  readonly setup: EngineSetup;
  readonly fatalTexts: FatalTexts;
  readonly onBatch: (facts: BatchFacts) => void;
  /** Characters and tokens of texts that the tokenizer has counted and not cut. */
  readonly onTokenised: (characters: number, tokens: number) => void;
  /** Called on every change of state, for the log and the metrics. */
  readonly onState: (state: RankerState) => void;
  /** What an engine says of a fault, with paths that no answer tells. */
  readonly onFault: (reason: string) => void;
  /** The process ended unasked. */
  readonly onDeath: (reason: string) => void;
  /** The device in use; `missing` says why it is not the one that was asked for. */
  readonly onDevice: (device: Device, missing: string | null) => void;
  /** Tokens wait or have run. */
  readonly onQueue: () => void;
}

/** The service's end of an engine process: starts it, speaks to it, starts it again when it dies. */
export interface EngineHost {
  state(): RankerState;
  /** The first state that is not `loading`. */
  settled(): Promise<RankerState>;
  /** Process id of the engine, undefined while none runs. */
  pid(): number | undefined;
  /** Tokens that wait or run, of one priority or of both. */
  tokens(priority?: Priority): number;
  /**
   * Waits while the engine loads, and starts over what was under way when it dies. Throws `model_not_ready` where the model
   * cannot be loaded, `text_refused` for a text that ends the engine, and when the signal aborts its reason, or `cancelled`.
   */
  run(request: HostRequest, signal: AbortSignal): Promise<Outputs>;
  /** Begins sums of gradients that `accumulate` runs add to by their name; throws `overloaded` while too many are open. */
  openSums(): HostSums;
  /** The trees' answers (N) to a matrix (N, F); waits and throws as `run` does. */
  learned(matrix: Float32Array, signal: AbortSignal): Promise<Float32Array>;
  /** Waits for the runs under way, then ends the process. */
  close(): Promise<void>;
}

/** Sums over the parameters in the engine process. Every use of them throws `accumulation_lost` once they are gone. */
export interface HostSums {
  /** The operand of runs that add to them. */
  readonly name: string;
  check(): void;
  norm(): Promise<number>;
  /** Entries from `at` on, times `scale`. */
  read(at: number, length: number, scale: number): Promise<Float32Array>;
  /** Lets go of them, and rejects the runs that were adding. */
  close(why: string): void;
}

export function startEngineHost(options: EngineHostOptions): EngineHost {
  const { setup } = options;
  const runs = createRuns(options);
  const accumulations = createAccumulations((message) => child.tell(message));
  const directions = createDirections(
    () => child,
    parameterCount(setup.folder.manifest) * Float32Array.BYTES_PER_ELEMENT,
  );
  /** The vectors of the runs along a direction. */
  const vectors = new Map<number, DirectionVector>();
  const treesJobs = createTreesJobs((job) => {
    if (state.status === "ready") child.tell(job);
  }, settleDrain);
  let state: RankerState = { status: "loading", reason: "the model is loading" };
  let settle: (state: RankerState) => void = () => undefined;
  const settled = new Promise<RankerState>((resolve) => {
    settle = resolve;
  });
  let deathsInARow = 0;
  let closing = false;
  let invalid = false;
  let restart: NodeJS.Timeout | undefined;
  let drained: (() => void) | null = null;
  let child = startChild(setup, receive, died);

  function setState(next: RankerState): void {
    state = next;
    options.onState(next);
    if (next.status !== "loading") settle(next);
  }

  function receive(told: EngineMessage): void {
    const message = cleaned(told);
    switch (message.type) {
      case "ready":
        options.onDevice(message.device, message.missing);
        setState({ status: "ready" });
        sendParts(runs.left());
        treesJobs.sendLeft();
        return;
      case "trees_done":
        treesJobs.done(message);
        return;
      case "trees_failed":
        treesJobs.failed(message.job, message.reason);
        return;
      case "failed": {
        // Another start would fail like this one: a reload is what may help.
        invalid = true;
        void child.end();
        setState({ status: "failed", reason: message.reason });
        giveUp(message.reason);
        return;
      }
      case "answer":
        accumulations.receive(message);
        return;
      case "finished":
        deathsInARow = 0;
        options.onBatch(message.facts);
    }
    sendParts(runs.receive(message));
    settleDrain();
  }

  /** The same with a reason for those who must not know where the folder lies; the log gets the whole. */
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
      if (graph === "tangent") void sendAlong(part, vectors.get(part.run) as DirectionVector);
      else {
        if (graph === "accumulate") accumulations.begin(operand as string);
        sendPart(part);
      }
    }
  }

  function sendPart(part: RunPart): void {
    runs.sent(part.run);
    child.tell({ type: "run", ...part });
  }

  /** Sends a part once the process has its direction. */
  async function sendAlong(part: RunPart, direction: DirectionVector): Promise<void> {
    const to = child;
    try {
      // After a death meanwhile the next process gets all that is left.
      if ((await directions.hold(part.run, direction)) && to === child) sendPart(part);
    } catch (error) {
      if (to !== child) return;
      runs.reject(part.run, asAssayError(error));
      settleDrain();
    }
  }

  function loseSums(reason: string): void {
    for (const name of accumulations.lost(reason)) runs.rejectOperand(name, accumulationLost(reason));
  }

  /** The refusal of a run says what may help where another start would not; that of a new model does not. */
  function notReady(reason: string): AssayError {
    const help = invalid ? "; a reload of the model tries again" : "";
    return new AssayError("model_not_ready", { detail: `The model is not ready: ${reason}${help}` });
  }

  function giveUp(reason: string): void {
    for (const { run } of runs.left()) runs.reject(run, notReady(reason));
    treesJobs.giveUp(notReady(reason));
    drained?.();
  }

  function died({ reason, killed }: Death): void {
    if (invalid || (closing && isIdle())) return;
    options.onDeath(reason);
    directions.lost();
    loseSums(reason);
    if (state.status === "ready") {
      runs.crashed({ killed });
      treesJobs.crashed();
    }
    deathsInARow += 1;
    if (deathsInARow > RESTARTS_MAX) giveUp(reason);
    const delayMs =
      deathsInARow === 1 ? 0 : Math.min(RESTART_DELAY_MAX_MS, RESTART_DELAY_MS * 2 ** (deathsInARow - 2));
    setState(stateAfter(reason, delayMs));
    restart = setTimeout(() => {
      restart = undefined;
      if (closing && isIdle()) return;
      setState({ status: "loading", reason: `${reason}; the model is loading again` });
      child = startChild(setup, receive, died);
    }, delayMs);
  }

  function stateAfter(reason: string, delayMs: number): RankerState {
    if (deathsInARow <= RESTARTS_MAX) return { status: "loading", reason: `${reason}; it starts again` };
    return { status: "failed", reason: `${reason}; it starts again in ${delayMs / 1000} s` };
  }

  function refuseIfOver(signal: AbortSignal): void {
    if (signal.aborted) throw abortReason(signal);
    if (closing) throw new AssayError("shutting_down");
    if (state.status === "failed") throw notReady(state.reason);
  }

  return {
    state: () => state,
    settled: () => settled,
    pid: () => child.pid,
    tokens: runs.tokens,
    async run(request, signal) {
      refuseIfOver(signal);
      options.fatalTexts.check(request.texts);
      if (request.work.graph === "accumulate") accumulations.check(request.work.operand as string);
      const { run, outputs } = runs.add(request);
      if (request.direction !== null) vectors.set(run, request.direction);
      const abort = (): void => {
        child.tell({ type: "cancel", run });
        runs.reject(run, abortReason(signal));
        settleDrain();
      };
      signal.addEventListener("abort", abort, { once: true });
      try {
        if (state.status === "ready") sendParts(runs.left(run));
        return await outputs;
      } finally {
        signal.removeEventListener("abort", abort);
        if (vectors.delete(run)) directions.release(run);
      }
    },
    openSums() {
      const name = accumulations.open();
      return {
        name,
        check: () => accumulations.check(name),
        norm: () => accumulations.norm(name),
        read: (at, length, scale) => accumulations.read(name, at, length, scale),
        close(why) {
          const adding = runs.rejectOperand(name, accumulationLost(why));
          for (const run of adding) child.tell({ type: "cancel", run });
          accumulations.close(name, why);
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
      clearTimeout(restart);
      loseSums("the model is closing");
      await child.end();
    },
  };
}
