import type { FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";
import { bodyQuotaOf } from "./body-quota.js";
import { IDLE_MS, silentBody } from "./body-stream.js";

/** A body that is held in memory must arrive within this time: enough for 16 MiB at half a megabit per second. */
const TOTAL_MS = 300_000;

/**
 * All bytes of a body. Throws `body_too_large`, before it reads a byte if Content-Length exceeds the limit; `body_timeout` if the
 * body falls silent or takes too long; `overloaded` if too many bytes are held at once; `cancelled` if the client disconnects.
 */
export function readWholeBody(request: FastifyRequest, bytesMax: number): Promise<Buffer> {
  const { raw, headers } = request;
  const quota = bodyQuotaOf(request);
  const parts: Buffer[] = [];
  let length = 0;
  return new Promise((resolve, reject) => {
    if (Number(headers["content-length"]) > bytesMax) {
      reject(tooLarge(bytesMax));
      return;
    }
    const idle = setTimeout(() => refuse(silentBody()), IDLE_MS);
    const late = setTimeout(() => refuse(slowBody()), TOTAL_MS);

    function take(part: Buffer): void {
      idle.refresh();
      length += part.length;
      if (length > bytesMax) {
        refuse(tooLarge(bytesMax));
        return;
      }
      try {
        quota.take(part.length);
      } catch (error) {
        refuse(error);
        return;
      }
      parts.push(part);
    }
    function end(): void {
      settle();
      resolve(Buffer.concat(parts, length));
    }
    function breakOff(cause?: Error): void {
      refuse(
        new AssayError("cancelled", { detail: "The connection closed before the body was complete", cause }),
      );
    }
    function refuse(error: unknown): void {
      settle();
      parts.length = 0;
      reject(error);
    }
    function settle(): void {
      clearTimeout(idle);
      clearTimeout(late);
      raw.off("data", take).off("end", end).off("error", breakOff).off("close", breakOff);
    }
    raw.on("data", take).on("end", end).on("error", breakOff).on("close", breakOff);
  });
}

function tooLarge(bytesMax: number): AssayError {
  return new AssayError("body_too_large", { detail: `The body is larger than ${bytesMax} bytes` });
}

function slowBody(): AssayError {
  return new AssayError("body_timeout", {
    detail: `The body was not complete within ${TOTAL_MS / 1000} s: send fewer samples at once`,
  });
}
