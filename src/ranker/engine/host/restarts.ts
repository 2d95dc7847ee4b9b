import type { RankerState } from "../../port.js";
import type { Death, EngineChild } from "./child.js";

/** Waiting time before the n-th restart in a row: none, then doubling from here to a minute. */
const RESTART_DELAY_MS = 500;
const RESTART_DELAY_MAX_MS = 60_000;

/** Restarts in a row after which nobody is left waiting for the next. */
const RESTARTS_MAX = 3;

export interface RestartOptions {
  /** Starts a process, which calls `onDeath` once it has ended. */
  readonly start: (onDeath: (death: Death) => void) => EngineChild;
  /** Called on every change of state. */
  readonly onState: (state: RankerState) => void;
  /** The process ended unasked; `wasReady` says whether it answered by then. */
  readonly onDeath: (death: Death, wasReady: boolean) => void;
  /** The next start is far off, or there is none: whoever waits for it has to go. */
  readonly onGivenUp: (reason: string) => void;
  /** Whether anybody needs the process: one that nobody needs is not started again. */
  readonly isNeeded: () => boolean;
}

/** An engine process that is started again when it dies, later each time in a row. */
export interface RestartedProcess {
  /** The present process, or the last one, to which messages are lost. */
  child(): EngineChild;
  state(): RankerState;
  /** The first state that is not `loading`. */
  settled(): Promise<RankerState>;
  /** Whether another start would fail like the last one, so that only a reload helps. */
  isInvalid(): boolean;
  /** The process has loaded the model. */
  ready(): void;
  /** The process cannot load the model, and ends. */
  invalid(reason: string): void;
  /** A batch has finished: the deaths before it count no longer. */
  worked(): void;
  /** Ends the process and starts no other. */
  end(): Promise<void>;
}

export function startWithRestarts(options: RestartOptions): RestartedProcess {
  let state: RankerState = { status: "loading", reason: "the model is loading" };
  let settle: (state: RankerState) => void = () => undefined;
  const settled = new Promise<RankerState>((resolve) => {
    settle = resolve;
  });
  let deathsInARow = 0;
  let isInvalid = false;
  let timer: NodeJS.Timeout | undefined;
  let child = options.start(died);

  function setState(next: RankerState): void {
    state = next;
    options.onState(next);
    if (next.status !== "loading") settle(next);
  }

  function died(death: Death): void {
    if (isInvalid || !options.isNeeded()) return;
    options.onDeath(death, state.status === "ready");
    deathsInARow += 1;
    const delayMs = delayMsBefore(deathsInARow);
    if (deathsInARow > RESTARTS_MAX) {
      options.onGivenUp(death.reason);
      setState({ status: "failed", reason: `${death.reason}; it starts again in ${delayMs / 1000} s` });
    } else {
      setState({ status: "loading", reason: `${death.reason}; it starts again` });
    }
    timer = setTimeout(() => restart(death.reason), delayMs);
  }

  function restart(reason: string): void {
    if (!options.isNeeded()) return;
    setState({ status: "loading", reason: `${reason}; the model is loading again` });
    child = options.start(died);
  }

  return {
    child: () => child,
    state: () => state,
    settled: () => settled,
    isInvalid: () => isInvalid,
    ready: () => setState({ status: "ready" }),
    invalid(reason) {
      isInvalid = true;
      void child.end();
      setState({ status: "failed", reason });
      options.onGivenUp(reason);
    },
    worked() {
      deathsInARow = 0;
    },
    async end() {
      clearTimeout(timer);
      await child.end();
    },
  };
}

function delayMsBefore(restart: number): number {
  return restart === 1 ? 0 : Math.min(RESTART_DELAY_MAX_MS, RESTART_DELAY_MS * 2 ** (restart - 2));
}
