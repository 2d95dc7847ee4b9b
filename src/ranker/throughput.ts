/** The recent speed of all engines together. */
export interface Throughput {
  /** A batch of `tokens` took `inferMs` on a part `coresShare`, in (0, 1], of the cores of one engine. */
  observe(tokens: number, inferMs: number, coresShare: number): void;
  /** Time that `tokens` will take; null before the first observation. */
  timeMsFor(tokens: number): number | null;
}

/** Weight of the newest batch in the moving average, so that about the last twenty batches count. */
const NEWEST = 0.1;

/** `engines` is the number of engines that run at the same time. */
export function createThroughput(engines: number): Throughput {
  let tokensPerMs: number | null = null;
  return {
    observe(tokens, inferMs, coresShare) {
      if (inferMs <= 0) return;
      const latest = (tokens / inferMs / coresShare) * engines;
      tokensPerMs = tokensPerMs === null ? latest : tokensPerMs + NEWEST * (latest - tokensPerMs);
    },
    timeMsFor: (tokens) => (tokensPerMs === null ? null : tokens / tokensPerMs),
  };
}
