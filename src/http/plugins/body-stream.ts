import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";
import { refuseEncoding } from "./media-types.js";

/** The service gives up a body if it waits this long for the next byte. */
export const IDLE_MS = 30_000;
/** How long the rest of an unwanted body is read; the same as nginx's `lingering_time`. */
const LINGER_MS = 30_000;
/** How long the rest is read while no byte arrives; the same as nginx's `lingering_timeout`. */
const LINGER_IDLE_MS = 5000;
/** How many bytes of the rest are read. */
const LINGER_BYTES = 2 ** 30;

/**
 * The bytes of a body as they arrive, in constant memory. If the consumer stops early, the rest is read and discarded for a
 * while: closing a connection with unread bytes may lose the answer. Throws `unsupported_media_type` for a content encoding,
 * `body_timeout` if the client falls silent, `cancelled` if the client disconnects, and the reason of `signal` if it aborts while
 * this waits for a byte.
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
    // If a chunk is being waited for, this settles once it has arrived.
    void chunks.return?.().then(() => throwAway(request));
  }
}

/** Reads the rest of an unwanted body for a while, and then ends the connection unless the body is complete. */
export async function throwAway(request: IncomingMessage): Promise<void> {
  await restOf(request);
  if (!request.readableEnded) request.destroy();
}

/** Settles when the rest of an unwanted body has been read, when the client has disconnected, or when a limit is reached. */
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

/** The error of a body that has fallen silent. */
export function silentBody(): AssayError {
  return new AssayError("body_timeout", { detail: `No byte of the body arrived for ${IDLE_MS / 1000} s` });
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
