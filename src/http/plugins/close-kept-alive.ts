import type { FastifyInstance } from "fastify";

/**
 * Once the app closes, ends each connection after the answer that it waits for. Closing the app ends only the connections that
 * are idle at that moment. One that is answered later would keep the process alive until its keep-alive time is over.
 */
export function closeKeptAlive(app: FastifyInstance): void {
  let closing = false;
  app.addHook("preClose", async () => {
    closing = true;
  });
  app.addHook("onSend", (_request, reply, payload, done) => {
    if (closing) reply.header("connection", "close");
    done(null, payload);
  });
}
