import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";

/** A body of which no byte comes for this long, while one is waited for, is given up. */
const IDLE_MS = 60_000;

/**
 * The bytes of a body as they come, in constant memory. What is left of one that is refused half-way is read and thrown away:
 * a connection that is closed with unread bytes may lose the answer. Throws `unsupported_media_type` for a content encoding,
 * `cancelled` where the client goes away or stalls.
 */
export function bodyStream({ headers, raw }: FastifyRequest): AsyncIterable<Uint8Array> {
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return bytesOf(raw);
  const detail = `Content-Encoding ${encoding} is not taken: send the bytes as they are`;
  throw new AssayError("unsupported_media_type", { detail });
}

async function* bytesOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const chunk = await nextChunk(request, chunks);
      if (chunk.done) return;
      yield chunk.value;
    }
  } finally {
    await chunks.return?.();
    if (!request.readableEnded) throwAway(request);
  }
}

function throwAway(request: IncomingMessage): void {
  const idle = setTimeout(() => request.destroy(), IDLE_MS);
  request.on("data", () => idle.refresh());
  request.once("close", () => clearTimeout(idle));
  request.resume();
}

async function nextChunk(
  request: IncomingMessage,
  chunks: AsyncIterator<Uint8Array>,
): Promise<IteratorResult<Uint8Array>> {
  const idle = setTimeout(() => request.destroy(new Error(`no byte came for ${IDLE_MS} ms`)), IDLE_MS);
  try {
    return await chunks.next();
  } catch (cause) {
    throw new AssayError("cancelled", { detail: `The upload broke off: ${(cause as Error).message}`, cause });
  } finally {
    clearTimeout(idle);
  }
}
