/**
 * The parts of a request that `Server-Timing` and the metrics tell apart, in the order in which they come: `ipc` is what a
 * run took beside the engine's own stages, `accumulate` the wait for sums of gradients, `handle` the work of routes that do
 * not tell it apart, `send` what follows the header.
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

/** Gives every millisecond of a request to one stage: what passes between two laps is the later one's. */
export interface Stopwatch {
  readonly durationsMs: ReadonlyMap<Stage, number>;
  /** Gives the stage the time since the last lap. */
  lap(stage: Stage): void;
  /** Gives the time since the last lap to the `parts` that were measured elsewhere, and what they leave of it to `rest`. */
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
