import { setTimeout as delay } from "node:timers/promises";
import { AssayError } from "../../errors.js";
import type { Caller } from "../../ranker/port.js";

const WAIT_MS = 1000;
const WAIT_MAX_MS = 10_000;

/**
 * Repeats work until the ranker no longer refuses it as `overloaded`: bulk work lets other requests go first. When the caller
 * gives up, this throws the caller's reason.
 *
 * @param own earlier work of the same caller, which may itself fill the queue. The first retry comes as soon as it has settled,
 *   without a delay
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

/** Waits between half and one and a half of the time, so that callers that were refused together do not retry together. */
async function wait(meanMs: number, signal: AbortSignal): Promise<void> {
  const waitMs = Math.min(meanMs, WAIT_MAX_MS) * (0.5 + Math.random());
  await delay(waitMs, undefined, { signal }).catch(() => {
    throw signal.reason;
  });
}
