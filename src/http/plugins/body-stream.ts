import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";
import { refuseEncoding } from "./media-types.js";

/** A body of which no byte comes for this long, while one is waited for, is given up. */
export const IDLE_MS = 30_000;
/** How long the rest of a body is read of which nothing is wanted any more; as long as nginx's `lingering_time`. */
const LINGER_MS = 30_000;
/** And how long while nothing comes of it; as nginx's `lingering_timeout`. */
const LINGER_IDLE_MS = 5000;
/** And how much of it. */
const LINGER_BYTES = 2 ** 30;

/**
 * The bytes of a body as they come, in constant memory. What is left of one that is refused half-way is read and thrown away for
 * a while: a connection that is closed with unread bytes may lose the answer. Throws `unsupported_media_type` for a content encoding,
 * `body_timeout` where the client falls silent, `cancelled` where it goes away, and the reason of `signal` when it aborts while a byte
 * is waited for.
 */
export function bodyStream(request: FastifyRequest, signal?: AbortSignal): AsyncIterable<Uint8Array> {
  refuseEncoding(request);
  return bytesOf(request.raw, signal);
}

async function* bytesOf(request: IncomingMessage, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const chunk = await nextChunk(chunks, signal);
      if (chunk.done) return;
      yield chunk.value;
    }
  } finally {
    // Settles once the chunk that is waited for has come, if one is.
    void chunks.return?.().then(() => throwAway(request));
  }
}

/** Reads what is left of a body that nobody wants, for a while, and then ends the connection. */
export async function throwAway(request: IncomingMessage): Promise<void> {
  await restOf(request);
  if (!request.readableEnded) request.destroy();
}

/** Settles when the rest of a body that nobody wants any more has been read, or the client is gone, or it took too long or too much. */
export function restOf(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const late = setTimeout(settle, LINGER_MS);
    const idle = setTimeout(settle, LINGER_IDLE_MS);
    let length = 0;
    function count(part: Uint8Array): void {
      idle.refresh();
      length += part.length;
      if (length > LINGER_BYTES) settle();
    }
    function settle(): void {
      clearTimeout(late);
      clearTimeout(idle);
      request.off("data", count).off("end", settle).off("close", settle);
      resolve();
    }
    request.on("data", count).once("end", settle).once("close", settle);
    request.resume();
  });
}

/** The fault of a body that has gone silent. */
export function silentBody(): AssayError {
  return new AssayError("body_timeout", { detail: `No byte of the body came for ${IDLE_MS / 1000} s` });
}

function nextChunk(
  chunks: AsyncIterator<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<Uint8Array>> {
  return new Promise((resolve, reject) => {
    const idle = setTimeout(() => reject(silentBody()), IDLE_MS);
    const giveUp = (): void => reject(signal?.reason);
    if (signal?.aborted) giveUp();
    signal?.addEventListener("abort", giveUp);
    chunks
      .next()
      .then(resolve, (cause: Error) =>
        reject(new AssayError("cancelled", { detail: `The upload broke off: ${cause.message}`, cause })),
      )
      .finally(() => {
        clearTimeout(idle);
        signal?.removeEventListener("abort", giveUp);
      });
  });
}
