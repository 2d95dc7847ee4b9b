import type { FastifyInstance, FastifyReply } from "fastify";
import { STATUS } from "../problems.js";
import { restOf, throwAway } from "./body-stream.js";

/**
 * Where a refused request's connection ends with its answer (`Connection: close`, which Python's urllib always sends, and which is
 * answered where a body was given up), the rest of the body is read first: the end of a connection with unread bytes is a reset, and a
 * client that is still sending would never see why. One that is kept alive is answered at once, and ends where the rest does not
 * come in time.
 */
export function linger(app: FastifyInstance): void {
  app.addHook("onSend", async (request, reply) => {
    if (reply.statusCode === STATUS.body_timeout) reply.header("connection", "close");
    else if (reply.statusCode >= 400 && endsConnection(reply)) await restOf(request.raw);
  });
  app.addHook("onResponse", async ({ raw }) => {
    if (!raw.complete) void throwAway(raw);
  });
}

function endsConnection(reply: FastifyReply): boolean {
  return !reply.raw.shouldKeepAlive || reply.getHeader("connection") === "close";
}
