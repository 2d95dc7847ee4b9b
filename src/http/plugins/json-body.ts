import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { parse } from "secure-json-parse";
import { AssayError } from "../../errors.js";
import { stopwatchOf } from "./server-timing.js";
import { readWholeBody } from "./whole-body.js";

/**
 * Reads JSON bodies and no others: UTF-8 without a content encoding, refused where it would poison a prototype. Decoding
 * bytes that are not UTF-8 would score other texts than those that were sent.
 */
export function readJsonBodies(app: FastifyInstance, bytesMax: number): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", async (request: FastifyRequest) => {
    const stopwatch = stopwatchOf(request);
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      const detail = `Content-Encoding ${encoding} is not taken: send plain JSON`;
      throw new AssayError("unsupported_media_type", { detail });
    }
    const body = await readWholeBody(request, bytesMax);
    stopwatch.lap("receive");
    if (!isUtf8(body)) throw new AssayError("invalid_json", { detail: "The body is not UTF-8" });
    if (body.length === 0 && request.method === "DELETE") return undefined; // clients that always set a content type
    try {
      return parse(body.toString("utf8"), null, { protoAction: "error", constructorAction: "error" });
    } catch (error) {
      throw new AssayError("invalid_json", { detail: jsonFault(error) });
    } finally {
      stopwatch.lap("parse");
    }
  });
}

/** What is wrong with a text as JSON, without the piece of the text that the engine quotes: it may be one that nobody should see. */
export function jsonFault(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const told = message.replace(/,? ?(?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/s, "");
  return told === "" ? "is not JSON" : told;
}
