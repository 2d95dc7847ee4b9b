/** The parts of a request that `Server-Timing` tells apart. */
export const STAGES = ["cache", "tokenise", "queue", "infer", "signals", "weigh", "keep"] as const;
export type Stage = (typeof STAGES)[number];

/** Adds up the milliseconds that a request spends in each stage. */
export interface Stopwatch {
  readonly durationsMs: ReadonlyMap<Stage, number>;
  add(stage: Stage, durationMs: number): void;
  /** Runs `work` and adds its time, also when it fails. */
  measure<T>(stage: Stage, work: () => T | Promise<T>): Promise<T>;
}

export function startStopwatch(): Stopwatch {
  const durationsMs = new Map<Stage, number>();
  function add(stage: Stage, durationMs: number): void {
    durationsMs.set(stage, (durationsMs.get(stage) ?? 0) + durationMs);
  }
  return {
    durationsMs,
    add,
    async measure(stage, work) {
      const startedAtMs = performance.now();
      try {
        return await work();
      } finally {
        add(stage, performance.now() - startedAtMs);
      }
    },
  };
}
