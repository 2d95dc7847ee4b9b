import type { FastifyInstance, FastifyReply } from "fastify";
import { STATUS } from "../problems.js";
import { restOf, throwAway } from "./body-stream.js";

/**
 * Lets clients that are still sending see why they were refused. If the connection ends with the answer (`Connection: close`,
 * which Python's urllib always sends), the rest of the body is read before the refusal is sent, because closing a connection
 * with unread bytes resets it. On a connection that is kept alive the refusal is sent at once. That connection ends if the
 * rest of the body does not arrive in time. `body_timeout` is also sent at once, and the connection closes after it.
 */
export function linger(app: FastifyInstance): void {
  app.addHook("onSend", (request, reply, payload, done) => {
    const isRefusal = reply.statusCode >= 400;
    if (reply.statusCode === STATUS.body_timeout) reply.header("connection", "close");
    else if (isRefusal && endsConnection(reply)) {
      restOf(request.raw).then(() => done(null, payload), done);
      return;
    }
    done(null, payload);
  });
  app.addHook("onResponse", ({ raw }, _reply, done) => {
    if (!raw.complete) void throwAway(raw);
    done();
  });
}

function endsConnection(reply: FastifyReply): boolean {
  return !reply.raw.shouldKeepAlive || reply.getHeader("connection") === "close";
}
