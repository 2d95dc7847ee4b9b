import type { FastifyInstance, FastifyRequest } from "fastify";
import { faultsError } from "../../errors.js";

const REQUEST = Symbol("request");

/** A body that has not been read yet. */
export interface StreamBody {
  readonly [REQUEST]: FastifyRequest;
  /** The media type of the body, without parameters. */
  readonly mediaType: string;
}

/**
 * Takes bodies of these media types as streams in the scope of `app`, in addition to the types that it takes already. Such a body
 * is a `StreamBody`. It is not checked against the route's schema, because each sample is checked when it arrives.
 */
export function takeStreamBodies(app: FastifyInstance, mediaTypes: readonly string[]): void {
  for (const mediaType of mediaTypes)
    app.addContentTypeParser(
      mediaType,
      async (request: FastifyRequest): Promise<StreamBody> => ({ [REQUEST]: request, mediaType }),
    );
  const compile = app.validatorCompiler;
  if (compile === undefined) throw new Error("validateRequests comes first");
  app.setValidatorCompiler((route) => {
    const validate = compile(route);
    return (data: unknown) => (isStreamBody(data) ? { value: data } : validate(data));
  });
}

export function isStreamBody(body: unknown): body is StreamBody {
  return typeof body === "object" && body !== null && REQUEST in body;
}

/** The request whose body it is. */
export function requestOf(body: StreamBody): FastifyRequest {
  return body[REQUEST];
}

/** A JSON body has these fields itself, so the query must not repeat them. */
export function refuseQuery(query: object): void {
  const names = Object.keys(query);
  if (names.length === 0) return;
  const message = "belongs in the JSON body: query parameters are only for streams";
  throw faultsError(
    "invalid_request",
    names.map((path) => ({ path, message })),
  );
}
