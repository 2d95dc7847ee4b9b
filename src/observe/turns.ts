import { setImmediate as onNextTurn } from "node:timers";

/** How long work may take of one turn of the event loop. */
const SLICE_MS = 10;
/**
 * Turns that others have before such work goes on. The loop accepts one connection in each turn, and a request takes several: with
 * one turn between two slices, a request behind forty new connections would wait for forty slices. A turn without work takes
 * microseconds.
 */
const TURNS_BETWEEN = 8;

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
    if (waiting.length === 1) onNextTurn(afterTurns, TURNS_BETWEEN);
  });
}

function afterTurns(left: number): void {
  if (left > 1) {
    onNextTurn(afterTurns, left - 1);
    return;
  }
  begunMs = performance.now();
  waiting.shift()?.();
  if (waiting.length > 0) onNextTurn(afterTurns, TURNS_BETWEEN);
}
