import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";

const LOOPBACK = String.raw`(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?`;
const LOOPBACK_HOST = new RegExp(`^${LOOPBACK}$`, "i");
const LOOPBACK_ORIGIN = new RegExp(`^https?://${LOOPBACK}$`, "i");
/** A request target that names its host itself (RFC 9112, section 3.2.2). */
const ABSOLUTE_TARGET = /^https?:\/\/([^/?#]*)/i;

/**
 * Without keys whoever reaches the port is served, and a browser on this machine lets every web page try: under a name of the
 * page's own that resolves to 127.0.0.1 (DNS rebinding), or by a request that needs no leave to be sent. So then only
 * requests for a loopback host are served, and of those that a page sends only those of loopback pages. With keys nothing of this is
 * needed: no browser adds a bearer key by itself, and a proxy may pass on any host.
 */
export function requireLocalCallers(app: FastifyInstance, keys: readonly string[]): void {
  app.addHook("onRequest", async ({ headers, raw }) => {
    if (headers.host === undefined && raw.httpVersion === "1.1")
      throw new AssayError("invalid_request", { detail: "A request of HTTP/1.1 needs a Host header" });
    // What stands before the service may read the other one (RFC 9112, section 3.2).
    if (raw.rawHeaders.filter((name, index) => index % 2 === 0 && /^host$/i.test(name)).length > 1)
      throw new AssayError("invalid_request", { detail: "A request may have one Host header" });
    if (keys.length > 0) return;
    if (!isForLoopback(raw)) throw foreign("serves localhost, 127.0.0.1 and [::1], and no other Host");
    if (!isOfLoopback(raw)) throw foreign("serves no request that a page of another site sends");
  });
}

function isForLoopback({ headers, url = "" }: FastifyRequest["raw"]): boolean {
  const target = ABSOLUTE_TARGET.exec(url)?.[1];
  return [headers.host ?? "", ...(target === undefined ? [] : [target])].every((host) =>
    LOOPBACK_HOST.test(host),
  );
}

function isOfLoopback({ headers, method }: FastifyRequest["raw"]): boolean {
  if (headers.origin !== undefined) return LOOPBACK_ORIGIN.test(headers.origin);
  return headers["sec-fetch-site"] !== "cross-site" || (method === "GET" && isNavigation(headers));
}

/** A link that was followed: the other site sees nothing of the page that opens, and reading changes nothing. */
function isNavigation(headers: IncomingHttpHeaders): boolean {
  return headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
}

function foreign(what: string): AssayError {
  return new AssayError("foreign_request", {
    detail: `Without ASSAY_API_KEYS Assay ${what}; set keys to be reached otherwise`,
  });
}
