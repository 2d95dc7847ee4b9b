import { setImmediate as nextTurn } from "node:timers/promises";

export interface HeldTurns {
  /** Turns that the event loop took while the work ran. */
  readonly turns: number;
  /**
   * The longest time between two turns, in milliseconds: elapsed, or of the processor if that is less. The first grows on a busy
   * machine, the second counts other threads too.
   */
  readonly longestMs: number;
}

/** Runs the work, and measures how long it keeps the event loop from its next turn. */
export async function heldTurns(work: () => Promise<unknown>): Promise<HeldTurns> {
  let [turns, longestMs, isDone] = [0, 0, false];
  const watching = (async () => {
    while (!isDone) {
      const [before, startedAtMs] = [process.cpuUsage(), performance.now()];
      await nextTurn();
      const elapsedMs = performance.now() - startedAtMs;
      longestMs = Math.max(longestMs, Math.min(elapsedMs, process.cpuUsage(before).user / 1000));
      turns += 1;
    }
  })();
  try {
    await work();
  } finally {
    isDone = true;
    await watching;
  }
  return { turns, longestMs };
}
