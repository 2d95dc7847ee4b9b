import type { Environment } from "./environment.js";
import { after } from "./sample-key.js";

/** Most keys that one transaction removes. */
const CHUNK = 1000;
/** Time after which a failed purge is tried again. */
const RETRY_MS = 5000;

/** Removes what deleted datasets and dead writers have left behind. */
export interface Purge {
  /** Purges once more, after the purge that may be running. */
  again(): void;
  /** The error of the last purge, which is a fault of the disk; null if it succeeded. */
  failure(): unknown;
  /** Stops after the present step. The next start continues the rest. */
  interrupt(): void;
  /** Resolves when no purge is running. */
  idle(): Promise<void>;
}

/**
 * Purges at once, in small steps. If it fails, it tries again after a while.
 *
 * @param sweep removes the files of directions that dead writers have left behind
 */
export function startPurge(
  {
    samples,
    histories,
    embeddings,
    shapes,
    columns,
    answers,
    doomed,
    batch,
  }: Pick<
    Environment,
    "samples" | "histories" | "embeddings" | "shapes" | "columns" | "answers" | "doomed" | "batch"
  >,
  sweep: () => Promise<void>,
): Purge {
  let stopping = false;
  let failure: unknown = null;
  let retry: NodeJS.Timeout | undefined;
  let purging = attempt();

  async function purge(): Promise<void> {
    for (const incarnation of [...doomed.getKeys()]) {
      for (const table of [samples, histories, embeddings, columns, answers, shapes]) {
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
