import type { FastifyInstance } from "fastify";

/**
 * Ends each connection with the answer it waits for once the app closes. Closing ends only connections that are idle at
 * that moment; one that is answered later would hold the process until its keep-alive time is over.
 */
export function closeKeptAlive(app: FastifyInstance): void {
  let closing = false;
  app.addHook("preClose", async () => {
    closing = true;
  });
  app.addHook("onSend", async (_request, reply) => {
    if (closing) reply.header("connection", "close");
  });
}
