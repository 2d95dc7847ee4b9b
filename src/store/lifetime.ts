import { AssayError } from "../errors.js";

/** Tracks the running work of a store, so that closing can wait for it. */
export interface Lifetime {
  /** Runs one method of the port. Rejects with `store_unavailable` once `end` was called. `explain` converts other errors. */
  run<T>(work: () => T | Promise<T>): Promise<T>;
  /** Runs each step of a long read. The store may be closed between two steps. */
  runEach<T>(steps: AsyncGenerator<T>): AsyncGenerator<T>;
  /** Refuses new work and waits for the running work. Answers false if it was called before. */
  end(): Promise<boolean>;
}

/** @param explain converts an error of the database to one of the catalogue */
export function startLifetime(explain: (error: unknown) => AssayError): Lifetime {
  const underWay = new Set<Promise<unknown>>();
  let ended = false;

  async function attempt<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // A RangeError is the caller's mistake, not the database's.
      throw error instanceof AssayError || error instanceof RangeError ? error : explain(error);
    }
  }

  async function run<T>(work: () => T | Promise<T>): Promise<T> {
    if (ended) throw new AssayError("store_unavailable", { detail: "The store is closed" });
    const running = attempt(work);
    underWay.add(running);
    try {
      return await running;
    } finally {
      underWay.delete(running);
    }
  }

  return {
    run,

    async *runEach(steps) {
      try {
        for (;;) {
          const step = await run(() => steps.next());
          if (step.done) return;
          yield step.value;
        }
      } finally {
        await steps.return(undefined);
      }
    },

    async end() {
      if (ended) return false;
      ended = true;
      await Promise.allSettled(underWay);
      return true;
    },
  };
}

export function datasetNotFound(dataset: string): AssayError {
  return new AssayError("dataset_not_found", { detail: `No dataset is named "${dataset}"` });
}

/** The error for a direction that is gone, or whose vector was replaced after its digest was read. */
export function directionNotFound(name: string): AssayError {
  return new AssayError("direction_not_found", {
    detail: `Direction "${name}" was deleted or replaced while it was being used`,
  });
}
