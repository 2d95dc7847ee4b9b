import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AssayError } from "../../errors.js";
import { sendProblem } from "../problems.js";

interface Route {
  readonly methods: ReadonlySet<string>;
  readonly path: RegExp;
}

/**
 * Answers requests that no route takes. If a route has the path, the answer is `method_not_allowed` with an Allow header, or 204
 * with an Allow header to OPTIONS. Otherwise it is `route_not_found`. Register this before the routes.
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
  // On every path, Fastify would refuse QUERY because of its missing content type.
  app.addHook("onRequest", (request, reply, done) => {
    if (request.method === "QUERY") answerNoRoute(request, reply);
    else done();
  });
}

/** A pattern of the paths of a route: `:name` is one segment, and `*` at the end is the rest. */
function patternOf(url: string): RegExp {
  const pattern = url
    .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    .replace(/:[^/]+/g, "[^/]+")
    .replace(/\*$/, ".*");
  return new RegExp(`^${pattern}$`);
}
