import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/** Most bytes of answers that clients have not read yet. */
const UNREAD_BYTES_MAX = 256 * 2 ** 20;
/** An answer that has waited less than this is assumed to be read soon. */
const PATIENCE_MS = 1000;

interface Waiting {
  readonly bytes: number;
  readonly sinceMs: number;
  readonly socket: Socket;
}

/**
 * Bounds the memory of answers that clients do not read. Over the limit, it closes the connections whose answers have waited
 * longest. A streamed answer does not count, because it is made only as fast as the client reads it.
 */
export function boundUnreadAnswers(app: FastifyInstance, bytesMax = UNREAD_BYTES_MAX): void {
  const waiting = new Set<Waiting>();
  let total = 0;

  app.addHook("onSend", (request, reply, payload, done) => {
    if (typeof payload === "string" || Buffer.isBuffer(payload)) {
      const answer = { bytes: payload.length, sinceMs: performance.now(), socket: request.raw.socket };
      waiting.add(answer);
      total += answer.bytes;
      reply.raw.once("close", () => {
        waiting.delete(answer);
        total -= answer.bytes;
      });
      if (total > bytesMax) closeOldest();
    }
    done(null, payload);
  });

  /** The set iterates in the order in which the answers were sent. */
  function closeOldest(): void {
    const dueMs = performance.now() - PATIENCE_MS;
    let left = total;
    for (const { bytes, sinceMs, socket } of waiting) {
      if (left <= bytesMax || sinceMs > dueMs) return;
      left -= bytes;
      socket.destroy();
    }
  }
}
