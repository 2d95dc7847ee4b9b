import { committed, type Environment } from "./environment.js";
import { after } from "./sample-key.js";

/** Keys that one transaction removes, at most. */
const CHUNK = 1000;

/** Removes what deleted datasets and dead writers left behind. */
export interface Purge {
  /** Once more, after what is under way. */
  again(): void;
  /** Why space could not be freed, null where it could: a fault of the disk. */
  failure(): unknown;
  /** Takes no further step; what this interrupts goes on at the next start. */
  interrupt(): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

/**
 * Begins at once, in small steps.
 *
 * @param sweep removes what dead writers left of directions
 */
export function startPurge(
  { samples, shapes, doomed }: Pick<Environment, "samples" | "shapes" | "doomed">,
  sweep: () => Promise<void>,
): Purge {
  let stopping = false;
  let failure: unknown = null;
  let purging = purge().catch(fail);

  async function purge(): Promise<void> {
    for (const incarnation of [...doomed.getKeys()]) {
      for (const table of [samples, shapes]) {
        while (!stopping) {
          const keys = [...table.getKeys({ start: incarnation, end: after(incarnation), limit: CHUNK })];
          if (keys.length === 0) break;
          await committed(
            table.batch(() => {
              for (const key of keys) table.remove(key);
            }),
          );
        }
      }
      if (!stopping) await committed(doomed.remove(incarnation));
    }
    if (!stopping) await sweep();
  }

  function fail(cause: unknown): void {
    failure = cause;
  }

  return {
    again() {
      purging = purging.then(purge).catch(fail);
    },
    failure: () => failure,
    interrupt() {
      stopping = true;
    },
    idle: () => purging,
  };
}
