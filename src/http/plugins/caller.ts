import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { AssayError } from "../../errors.js";
import type { Caller } from "../../ranker/port.js";
import { storeUntil } from "../../scoring/requests/store-until.js";
import type { Store } from "../../store/port.js";

const TIMEOUT_HEADER = "assay-timeout-ms";

/** Request headers with the optional time that the caller waits. */
export const timeoutHeadersSchema = z.looseObject({
  [TIMEOUT_HEADER]: z
    .string()
    .regex(/^[1-9]\d{0,6}$/, "must be a whole number of milliseconds from 1 to 9999999")
    .optional()
    .describe("Milliseconds from the request's arrival after which the service gives it up and answers 504"),
});

/**
 * The client as a caller. Its signal aborts with `cancelled` if the client disconnects before its answer is complete, and with
 * `deadline_exceeded` when the time in the request's `assay-timeout-ms` header has passed.
 */
export function callerOf({ headers }: FastifyRequest, reply: FastifyReply): Caller {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let deadlineAtMs: number | null = null;
  const given = headers[TIMEOUT_HEADER];
  if (given !== undefined) {
    const timeoutMs = Number(given);
    const leftMs = timeoutMs - reply.elapsedTime;
    deadlineAtMs = performance.now() + leftMs;
    timer = setTimeout(() => controller.abort(deadlineExceeded(timeoutMs)), leftMs);
  }
  reply.raw.once("close", () => {
    clearTimeout(timer);
    if (!reply.raw.writableFinished) controller.abort(new AssayError("cancelled"));
  });
  return { signal: controller.signal, deadlineAtMs };
}

/** The ports, with a store whose methods give up when the client no longer waits. */
export function portsUntil<P extends { readonly store: Store }>(
  ports: P,
  request: FastifyRequest,
  reply: FastifyReply,
): P {
  return { ...ports, store: storeUntil(ports.store, callerOf(request, reply)) };
}

function deadlineExceeded(timeoutMs: number): AssayError {
  return new AssayError("deadline_exceeded", {
    detail: `The request was not done within ${timeoutMs} ms, the time in its ${TIMEOUT_HEADER} header`,
  });
}
