import type { Environment } from "./environment.js";
import { after } from "./sample-key.js";

/** Keys that one transaction removes, at most. */
const CHUNK = 1000;
/** After this time what failed is tried again. */
const RETRY_MS = 5000;

/** Removes what deleted datasets and dead writers left behind. */
export interface Purge {
  /** Once more, after what is under way. */
  again(): void;
  /** Why space could not be freed the last time, null where it could: a fault of the disk. */
  failure(): unknown;
  /** Takes no further step; what this interrupts goes on at the next start. */
  interrupt(): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

/**
 * Begins at once, in small steps, and again a while after it failed.
 *
 * @param sweep removes what dead writers left of directions
 */
export function startPurge(
  { samples, shapes, doomed, batch }: Pick<Environment, "samples" | "shapes" | "doomed" | "batch">,
  sweep: () => Promise<void>,
): Purge {
  let stopping = false;
  let failure: unknown = null;
  let retry: NodeJS.Timeout | undefined;
  let purging = attempt();

  async function purge(): Promise<void> {
    for (const incarnation of [...doomed.getKeys()]) {
      for (const table of [samples, shapes]) {
        while (!stopping) {
          const keys = [...table.getKeys({ start: incarnation, end: after(incarnation), limit: CHUNK })];
          if (keys.length === 0) break;
          await batch(table, () => {
            for (const key of keys) table.remove(key);
          });
        }
      }
      if (!stopping) await batch(doomed, () => doomed.remove(incarnation));
    }
    if (!stopping) await sweep();
  }

  async function attempt(): Promise<void> {
    clearTimeout(retry);
    try {
      await purge();
      failure = null;
    } catch (error) {
      failure = error;
      if (!stopping) retry = setTimeout(again, RETRY_MS).unref();
    }
  }

  function again(): void {
    purging = purging.then(attempt);
  }

  return {
    again,
    failure: () => failure,
    interrupt() {
      stopping = true;
      clearTimeout(retry);
    },
    idle: () => purging,
  };
}
