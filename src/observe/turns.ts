import { setImmediate as onNextTurn } from "node:timers";

/** How long work may take of one turn of the event loop. */
const SLICE_MS = 10;

/** Work that waits for a turn, in the order in which it came. */
const waiting: (() => void)[] = [];
let begunMs = 0;

/**
 * Long work calls this between two steps of some milliseconds at most. It waits for a later turn of the event loop if such work has
 * had its share of this one, so that other requests and timers are served in between.
 *
 * All work of the process shares the turns, and one work goes on in each: many streams at once hold the loop no longer than one. A
 * chain of promises alone gives no other request a turn, however many times it awaits.
 */
export function giveTurn(): Promise<void> | undefined {
  if (performance.now() - begunMs < SLICE_MS) return undefined;
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) onNextTurn(begin);
  });
}

function begin(): void {
  begunMs = performance.now();
  waiting.shift()?.();
  if (waiting.length > 0) onNextTurn(begin);
}
