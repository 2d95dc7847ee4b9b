import { setTimeout as delay } from "node:timers/promises";
import { AssayError } from "../../errors.js";
import type { Caller } from "../../ranker/port.js";

const WAIT_MS = 1000;
const WAIT_MAX_MS = 10_000;

/**
 * Does work that the ranker may refuse as `overloaded` as often as it takes: bulk work gives way to others and goes on after
 * them. It gives up with the caller's reason when the caller does.
 *
 * @param own work of the same caller that may be what fills the queue: once it has settled, no time is waited for
 */
export async function patiently<T>(
  work: () => Promise<T>,
  { signal }: Caller,
  own?: Promise<unknown>,
): Promise<T> {
  for (let settled = own === undefined; ; settled = true) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof AssayError) || error.code !== "overloaded") throw error;
      if (settled) await wait(error.retryAfterMs ?? WAIT_MS, signal);
      else await Promise.allSettled([own]);
    }
  }
}

/** Half of the time to one and a half of it, so that those who were refused together do not come back together. */
async function wait(meanMs: number, signal: AbortSignal): Promise<void> {
  const waitMs = Math.min(meanMs, WAIT_MAX_MS) * (0.5 + Math.random());
  await delay(waitMs, undefined, { signal }).catch(() => {
    throw signal.reason;
  });
}
