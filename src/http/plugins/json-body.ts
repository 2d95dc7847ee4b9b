import { isUtf8 } from "node:buffer";
import type { FastifyInstance } from "fastify";
import { AssayError } from "../../errors.js";

/**
 * Reads JSON bodies: UTF-8 without a content encoding, refused where it would poison a prototype. Decoding bytes that are
 * not UTF-8 would score other texts than those that were sent.
 */
export function readJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeContentTypeParser("application/json");
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      done(
        new AssayError("unsupported_media_type", {
          detail: `Content-Encoding ${encoding} is not taken: send plain JSON`,
        }),
      );
    } else if (!isUtf8(body as Buffer)) {
      done(new AssayError("invalid_json", { detail: "The body is not UTF-8" }));
    } else if (body.length === 0 && request.method === "DELETE") {
      done(null, undefined); // clients that always set a content type
    } else {
      parse(request, body.toString("utf8"), done);
    }
  });
}
