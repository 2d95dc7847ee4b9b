import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";

const LOOPBACK = String.raw`(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?`;
const LOOPBACK_HOST = new RegExp(`^${LOOPBACK}$`, "i");
const LOOPBACK_ORIGIN = new RegExp(`^https?://${LOOPBACK}$`, "i");
/** A request target that contains the host (RFC 9112, section 3.2.2). */
const ABSOLUTE_TARGET = /^https?:\/\/([^/?#]*)/i;

/**
 * Without keys, everyone who reaches the port is served. A web page in a browser on this machine could reach it too: under a
 * domain of the page's owner that resolves to 127.0.0.1 (DNS rebinding), or with a request that browsers send without asking.
 * So without keys, a request must be for a loopback host; if a page sends it, the page must be a loopback page too. With
 * keys no such check is needed: no browser adds a bearer key by itself, and a proxy may forward any host.
 *
 * With or without keys, a request may have only one Host header, and an HTTP/1.1 request needs one. Throws `invalid_request` for
 * the Host header and `foreign_request` for the rest.
 */
export function requireLocalCallers(app: FastifyInstance, keys: readonly string[]): void {
  app.addHook("onRequest", ({ raw }, _reply, done) =>
    done(hostFault(raw) ?? callerFault(raw, keys) ?? undefined),
  );
}

function hostFault({ headers, httpVersion, rawHeaders }: FastifyRequest["raw"]): AssayError | null {
  if (headers.host === undefined && httpVersion === "1.1")
    return new AssayError("invalid_request", { detail: "An HTTP/1.1 request needs a Host header" });
  // A proxy in front of the service might read the other one (RFC 9112, section 3.2).
  if (rawHeaders.filter((name, index) => index % 2 === 0 && /^host$/i.test(name)).length > 1)
    return new AssayError("invalid_request", { detail: "A request may have only one Host header" });
  return null;
}

function callerFault(raw: FastifyRequest["raw"], keys: readonly string[]): AssayError | null {
  if (keys.length > 0) return null;
  if (!isForLoopback(raw)) return foreign("serves only the hosts localhost, 127.0.0.1 and [::1]");
  if (!isOfLoopback(raw)) return foreign("serves no request from a page of another site");
  return null;
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

/** The user followed a link. This is safe: the other site cannot read the page that opens, and a GET changes nothing. */
function isNavigation(headers: IncomingHttpHeaders): boolean {
  return headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
}

function foreign(what: string): AssayError {
  return new AssayError("foreign_request", {
    detail: `Without ASSAY_API_KEYS, Assay ${what}. Set keys to allow others`,
  });
}
