import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { AssayError } from "../../errors.js";

const TIMEOUT_HEADER = "assay-timeout-ms";

/** Headers of a request whose signal is `requestSignal`. */
export const timeoutHeadersSchema = z.looseObject({
  [TIMEOUT_HEADER]: z
    .string()
    .regex(/^[1-9]\d{0,6}$/, "must be a whole number of milliseconds from 1 to 9999999")
    .optional()
    .describe("Milliseconds from the request's arrival after which it is given up and answered 504"),
});

/**
 * A signal that aborts with `cancelled` when the client goes away before its answer is complete, and with
 * `deadline_exceeded` when the time is over that the request's `assay-timeout-ms` gives it.
 */
export function requestSignal({ headers }: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const given = headers[TIMEOUT_HEADER];
  if (given !== undefined) {
    const timeoutMs = Number(given);
    timer = setTimeout(() => controller.abort(deadlineExceeded(timeoutMs)), timeoutMs - reply.elapsedTime);
  }
  reply.raw.once("close", () => {
    clearTimeout(timer);
    if (!reply.raw.writableFinished) controller.abort(new AssayError("cancelled"));
  });
  return controller.signal;
}

function deadlineExceeded(timeoutMs: number): AssayError {
  return new AssayError("deadline_exceeded", {
    detail: `The request was not done within ${timeoutMs} ms, the time that its ${TIMEOUT_HEADER} gives it`,
  });
}
