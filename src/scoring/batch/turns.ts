import { setImmediate as nextTurn } from "node:timers/promises";

/** A larger batch lets other requests have their turn between its stages, each of which takes some milliseconds. */
const SAMPLES_AT_ONCE = 512;

/** Between two stages of a batch. */
export async function giveWay(samples: number): Promise<void> {
  if (samples > SAMPLES_AT_ONCE) await nextTurn();
}
