import { setImmediate as nextTurn } from "node:timers/promises";

/** A larger batch lets other requests run between its stages, because each stage takes some milliseconds. */
const SAMPLES_AT_ONCE = 512;

/** Call this between two stages of a batch. It waits for the next turn of the event loop if the batch is large. */
export async function giveWay(samples: number): Promise<void> {
  if (samples > SAMPLES_AT_ONCE) await nextTurn();
}
