import type { FastifyInstance } from "fastify";
import { restOf } from "./body-stream.js";

/**
 * Where a refused request's connection ends with its answer (`Connection: close`, which Python's urllib always sends), the rest of
 * the body is read first: the end of a connection with unread bytes is a reset, and a client that is still sending would never see
 * why. One that is kept alive is answered at once.
 */
export function linger(app: FastifyInstance): void {
  app.addHook("onSend", async (request, reply) => {
    if (reply.statusCode >= 400 && !reply.raw.shouldKeepAlive) await restOf(request.raw);
  });
}
