import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { parse } from "secure-json-parse";
import { AssayError } from "../../errors.js";
import { stopwatchOf } from "./server-timing.js";

/**
 * Reads JSON bodies and no others: UTF-8 without a content encoding, refused where it would poison a prototype. Decoding
 * bytes that are not UTF-8 would score other texts than those that were sent.
 */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer" },
    async (request: FastifyRequest, body: Buffer) => {
      const stopwatch = stopwatchOf(request);
      stopwatch.lap("receive");
      const encoding = request.headers["content-encoding"] ?? "identity";
      if (encoding !== "identity") {
        const detail = `Content-Encoding ${encoding} is not taken: send plain JSON`;
        throw new AssayError("unsupported_media_type", { detail });
      }
      if (!isUtf8(body)) throw new AssayError("invalid_json", { detail: "The body is not UTF-8" });
      if (body.length === 0 && request.method === "DELETE") return undefined; // clients that always set a content type
      try {
        return parse(body.toString("utf8"), null, { protoAction: "error", constructorAction: "error" });
      } catch (cause) {
        throw new AssayError("invalid_json", { detail: (cause as Error).message, cause });
      } finally {
        stopwatch.lap("parse");
      }
    },
  );
}
