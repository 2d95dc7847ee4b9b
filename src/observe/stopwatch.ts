/**
 * The stages of a request in `Server-Timing` and the metrics, in the order in which they happen. `ipc` is the time of a run that
 * is not in the engine's own stages. `accumulate` is the wait for sums of gradients. `handle` is the work of routes that do not
 * time their stages. `send` is the time after the header has been made.
 */
export const STAGES = [
  "receive",
  "parse",
  "validate",
  "lookup",
  "cache",
  "tokenise",
  "queue",
  "infer",
  "ipc",
  "accumulate",
  "signals",
  "weigh",
  "keep",
  "handle",
  "serialise",
  "send",
] as const;
export type Stage = (typeof STAGES)[number];

/** Assigns every millisecond of a request to one stage. The time between two laps belongs to the stage of the later lap. */
export interface Stopwatch {
  readonly durationsMs: ReadonlyMap<Stage, number>;
  /** Assigns the time since the last lap to the stage. */
  lap(stage: Stage): void;
  /** Assigns the time since the last lap to the `parts`, which were measured elsewhere, and the remainder to `rest`. */
  lapInParts(parts: Readonly<Partial<Record<Stage, number>>>, rest: Stage): void;
}

export function startStopwatch(): Stopwatch {
  const durationsMs = new Map<Stage, number>();
  let lapAtMs = performance.now();

  function add(stage: Stage, durationMs: number): void {
    durationsMs.set(stage, (durationsMs.get(stage) ?? 0) + durationMs);
  }

  function sinceLap(): number {
    const nowMs = performance.now();
    const durationMs = nowMs - lapAtMs;
    lapAtMs = nowMs;
    return durationMs;
  }

  return {
    durationsMs,
    lap: (stage) => add(stage, sinceLap()),
    lapInParts(parts, rest) {
      let left = sinceLap();
      for (const [stage, durationMs] of Object.entries(parts) as [Stage, number][]) {
        add(stage, durationMs);
        left -= durationMs;
      }
      add(rest, Math.max(0, left));
    },
  };
}
