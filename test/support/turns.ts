import { setImmediate as nextTurn } from "node:timers/promises";

export interface HeldTurns {
  /** Turns that the event loop took while the work ran. */
  readonly turns: number;
  /** The most processor time between two turns, in milliseconds. Unlike elapsed time it hardly grows on a busy machine. */
  readonly longestMs: number;
}

/** Runs the work, and measures how long it keeps the event loop from its next turn. */
export async function heldTurns(work: () => Promise<unknown>): Promise<HeldTurns> {
  let [turns, longestMs, isDone] = [0, 0, false];
  const watching = (async () => {
    while (!isDone) {
      const before = process.cpuUsage();
      await nextTurn();
      longestMs = Math.max(longestMs, process.cpuUsage(before).user / 1000);
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
