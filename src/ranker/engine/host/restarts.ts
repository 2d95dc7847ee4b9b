import type { RankerState } from "../../port.js";
import type { Death, EngineChild } from "./child.js";

/**
 * Delay before the n-th restart in a row: none before the first, this before the second, then doubled each time up to a minute.
 */
const RESTART_DELAY_MS = 500;
const RESTART_DELAY_MAX_MS = 60_000;

/** After this many restarts in a row, runs no longer wait for the next one. */
const RESTARTS_MAX = 3;

export interface RestartOptions {
  /** Starts a process. `onDeath` is called once when it has ended. */
  readonly start: (onDeath: (death: Death) => void) => EngineChild;
  /** Called on every change of state. */
  readonly onState: (state: RankerState) => void;
  /** The process ended, although nobody asked it to. `wasReady` says whether it was ready before. */
  readonly onDeath: (death: Death, wasReady: boolean) => void;
  /** The next start is far off, or there is none. Runs that wait for it have to be rejected. */
  readonly onGivenUp: (reason: string) => void;
  /** Whether the process is still needed. If not, it is not started again. */
  readonly isNeeded: () => boolean;
}

/** An engine process that is started again when it dies, after a delay that grows with each death in a row. */
export interface RestartedProcess {
  /** The present process. If none runs, the last one: messages to it are lost. */
  child(): EngineChild;
  state(): RankerState;
  /** The first state that is not `loading`. */
  settled(): Promise<RankerState>;
  /** Whether another start would fail too, so that only a reload helps. */
  isInvalid(): boolean;
  /** The process has loaded the model. */
  ready(): void;
  /** The process cannot load the model. Ends it. */
  invalid(reason: string): void;
  /** A batch has finished. The deaths before it no longer count. */
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
      setState({ status: "failed", reason: `${death.reason}; a new one starts in ${delayMs / 1000} s` });
    } else {
      setState({ status: "loading", reason: `${death.reason}; a new one starts` });
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
