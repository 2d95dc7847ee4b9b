import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";
import { refuseEncoding } from "./media-types.js";

/** A body of which no byte comes for this long, while one is waited for, is given up. */
const IDLE_MS = 60_000;
/** How long the rest of a body is read of which nothing is wanted any more; as long as nginx's `lingering_time`. */
const LINGER_MS = 30_000;

/**
 * The bytes of a body as they come, in constant memory. What is left of one that is refused half-way is read and thrown away for
 * a while: a connection that is closed with unread bytes may lose the answer. Throws `unsupported_media_type` for a content encoding,
 * `cancelled` where the client goes away or stalls, and the reason of `signal` when it aborts while a byte is waited for.
 */
export function bodyStream(request: FastifyRequest, signal?: AbortSignal): AsyncIterable<Uint8Array> {
  refuseEncoding(request);
  return bytesOf(request.raw, signal);
}

async function* bytesOf(request: IncomingMessage, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const chunk = await nextChunk(request, chunks, signal);
      if (chunk.done) return;
      yield chunk.value;
    }
  } finally {
    // Settles once the chunk that is waited for has come, if one is.
    void chunks.return?.().then(() => throwAway(request));
  }
}

async function throwAway(request: IncomingMessage): Promise<void> {
  await restOf(request);
  if (!request.readableEnded) request.destroy();
}

/** Settles when the rest of a body that nobody wants any more has been read, or the client is gone, or it took too long. */
export function restOf(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const late = setTimeout(settle, LINGER_MS);
    function settle(): void {
      clearTimeout(late);
      request.off("end", settle);
      request.off("close", settle);
      resolve();
    }
    request.once("end", settle);
    request.once("close", settle);
    request.resume();
  });
}

function nextChunk(
  request: IncomingMessage,
  chunks: AsyncIterator<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<Uint8Array>> {
  const idle = setTimeout(() => request.destroy(new Error(`no byte came for ${IDLE_MS} ms`)), IDLE_MS);
  return new Promise((resolve, reject) => {
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
