import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import { DASHBOARD_POLICY } from "./plugins/safe-headers.js";

/**
 * Serves the built dashboard in `folder` at `/`. Its files hold no data, so they are served without a key; what they show comes from the
 * API, which asks for one.
 */
export async function serveDashboard(app: FastifyInstance, folder: string): Promise<void> {
  await app.register(async (page) => {
    page.addHook("onRequest", (request, reply, done) => {
      // The names of assets hold a hash of their content; the page names the assets.
      const lasts = request.routeOptions.url?.startsWith("/assets/") === true;
      reply.headers({
        "content-security-policy": DASHBOARD_POLICY,
        "cache-control": lasts ? "public, max-age=31536000, immutable" : "no-cache",
      });
      done();
    });
    await page.register(fastifyStatic, {
      root: folder,
      // A route for each file. A wildcard would take the place of the answer to unknown routes.
      wildcard: false,
      decorateReply: false,
      cacheControl: false,
    });
  });
}
