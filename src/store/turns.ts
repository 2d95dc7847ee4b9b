/** Lets work take turns within the process: work waits for earlier work of the same name. */
export interface Turns {
  take<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** The number of works of this name that have not finished. */
  waiting(name: string): number;
}

export function openTurns(): Turns {
  const last = new Map<string, { done: Promise<unknown>; count: number }>();
  return {
    async take(name, work) {
      const before = last.get(name);
      const turn = before === undefined ? work() : before.done.then(work);
      const done = turn.then(
        () => undefined,
        () => undefined, // `turn` is awaited below, so the caller gets the error
      );
      const line = { done, count: (before?.count ?? 0) + 1 };
      last.set(name, line);
      try {
        return await turn;
      } finally {
        const now = last.get(name);
        if (now !== undefined && --now.count === 0) last.delete(name);
      }
    },
    waiting: (name) => last.get(name)?.count ?? 0,
  };
}
