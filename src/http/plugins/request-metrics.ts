import type { FastifyInstance } from "fastify";
import type { Metrics } from "../../observe/metrics.js";

/** Counts and times every answer under its route's pattern. Ids in paths therefore make no new series. */
export function measureRequests(app: FastifyInstance, { requests, requestSeconds }: Metrics): void {
  app.addHook("onResponse", (request, reply, done) => {
    const route = request.routeOptions.url ?? "unknown";
    const { method } = request;
    requests.inc({ method, route, status: String(reply.statusCode) });
    requestSeconds.observe({ method, route }, reply.elapsedTime / 1000);
    done();
  });
}
