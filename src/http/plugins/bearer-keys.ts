import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { AssayError } from "../../errors.js";

/** Routes that answer without a key: probes send none, and the documentation and the files of the dashboard hold no data. */
const OPEN = ["/healthz", "/readyz", "/openapi.json", "/docs", "/index.html", "/assets"];

/**
 * Requires `Authorization: Bearer KEY` with one of `keys` on every route except the open ones. The given key is compared with
 * every key, by digest and in constant time. So the time reveals neither a key's length nor its place in the list.
 */
export function requireBearerKeys(app: FastifyInstance, keys: readonly string[]): void {
  if (keys.length === 0) return;
  const digests = keys.map(digest);
  app.addHook("onRequest", async (request) => {
    const path = request.routeOptions.url ?? request.url;
    if (path === "/" || OPEN.some((open) => path === open || path.startsWith(`${open}/`))) return;
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    const found = digest(given ?? "");
    const matches = digests.filter((known) => timingSafeEqual(known, found)).length;
    if (given === undefined || matches === 0) {
      throw new AssayError("unauthorised", {
        detail:
          given === undefined
            ? "Send Authorization: Bearer KEY with one of ASSAY_API_KEYS"
            : "The bearer key is not one of ASSAY_API_KEYS",
      });
    }
  });
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
