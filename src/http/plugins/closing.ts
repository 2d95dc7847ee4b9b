import type { FastifyInstance } from "fastify";
import { AssayError } from "../../errors.js";

/** A signal that aborts when the service begins to close. A stream may last hours, so the service does not wait for it. */
export function closingSignal(app: FastifyInstance): AbortSignal {
  const closing = new AbortController();
  app.addHook("preClose", async () => {
    const detail = "The service is shutting down: send the samples again";
    closing.abort(new AssayError("shutting_down", { detail }));
  });
  return closing.signal;
}
