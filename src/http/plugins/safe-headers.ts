import type { FastifyInstance } from "fastify";

/**
 * What every answer tells a browser: take the content type as it is, show nothing of this in a frame or as part of another
 * site's page, tell no other site the address, and keep no copy.
 */
export const SAFE_HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
} as const;

/** The policy of the page at /docs: its own scripts, no one else's; Swagger UI draws icons from `data:` and sets styles inline. */
export const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Registered before whatever may refuse, so that refusals have the headers too. */
export function sendSafeHeaders(app: FastifyInstance): void {
  app.addHook("onRequest", (_request, reply, done) => {
    reply.headers(SAFE_HEADERS);
    done();
  });
}
