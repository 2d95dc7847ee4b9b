import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";
import { sendProblem } from "../problems.js";

interface Route {
  readonly methods: ReadonlySet<string>;
  readonly path: RegExp;
}

/**
 * Answers what no route takes: `method_not_allowed` with Allow where a route has the path, 204 with Allow to OPTIONS there, and
 * `route_not_found` elsewhere. Registered before the routes.
 */
export function answerOtherMethods(app: FastifyInstance): void {
  const routes: Route[] = [];
  app.addHook("onRoute", ({ method, url }) => {
    routes.push({ methods: new Set([method].flat()), path: patternOf(url) });
  });

  function allowedAt(path: string): string[] {
    const found = path === "*" ? routes : routes.filter((route) => route.path.test(path));
    const methods = new Set(found.flatMap(({ methods }) => [...methods]));
    return methods.size === 0 ? [] : [...methods.add("OPTIONS")].sort();
  }

  function answerNoRoute(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const path = request.url.replace(/^https?:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "");
    const allowed = allowedAt(path);
    if (allowed.length > 0) reply.header("allow", allowed.join(", "));
    if (allowed.length > 0 && request.method === "OPTIONS") return reply.code(204).send();
    const error =
      allowed.length > 0
        ? new AssayError("method_not_allowed", {
            detail: `${path} takes ${allowed.join(", ")}, not ${request.method}`,
          })
        : new AssayError("route_not_found", { detail: `No route answers ${request.method} ${path}` });
    return sendProblem(error, request, reply);
  }

  app.setNotFoundHandler(answerNoRoute);
  // Fastify would refuse it for its missing content type, whatever the path.
  app.addHook("onRequest", async (request, reply) => {
    if (request.method === "QUERY") return answerNoRoute(request, reply);
  });
}

/** The paths of a route: `:name` is a segment, `*` at the end the rest. */
function patternOf(url: string): RegExp {
  const pattern = url
    .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    .replace(/:[^/]+/g, "[^/]+")
    .replace(/\*$/, ".*");
  return new RegExp(`^${pattern}$`);
}
