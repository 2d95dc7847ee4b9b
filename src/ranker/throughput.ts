/** Tokens a second that sessions have lately run, side by side. */
export interface Throughput {
  observe(tokens: number, inferMs: number): void;
  /** Time in which `tokens` will have run; null before anything was observed. */
  timeMsFor(tokens: number): number | null;
}

/** Weight of the newest batch: about the last twenty count. */
const NEWEST = 0.1;

/** `sessions` is the number of sessions that run at once. */
export function createThroughput(sessions: number): Throughput {
  let tokensPerMs: number | null = null;
  return {
    observe(tokens, inferMs) {
      if (inferMs <= 0) return;
      const latest = (tokens / inferMs) * sessions;
      tokensPerMs = tokensPerMs === null ? latest : tokensPerMs + NEWEST * (latest - tokensPerMs);
    },
    timeMsFor: (tokens) => (tokensPerMs === null ? null : tokens / tokensPerMs),
  };
}
