/** The recent speed of all sessions together. */
export interface Throughput {
  observe(tokens: number, inferMs: number): void;
  /** Time that `tokens` will take; null before the first observation. */
  timeMsFor(tokens: number): number | null;
}

/** Weight of the newest batch in the moving average, so that about the last twenty batches count. */
const NEWEST = 0.1;

/** `sessions` is the number of sessions that run at the same time. */
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
