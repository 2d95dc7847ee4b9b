import type { FastifyInstance } from "fastify";

/**
 * Headers that tell a browser: do not guess another content type, do not show this in a frame or as part of another site's page,
 * send no Referer header, and keep no copy.
 */
export const SAFE_HEADERS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
} as const;

/** The policy of the page at /docs: only its own scripts may run. Swagger UI draws icons from `data:` and sets styles inline. */
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

/** The policy of the dashboard: nothing but its own files and the API, no inline script or style, no outside request. */
export const DASHBOARD_POLICY = [
  "default-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Sets the safe headers on every answer. Register this before plugins that refuse requests, so that refusals have them too. */
export function sendSafeHeaders(app: FastifyInstance): void {
  app.addHook("onRequest", (_request, reply, done) => {
    reply.headers(SAFE_HEADERS);
    done();
  });
}
