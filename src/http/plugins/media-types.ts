import type { FastifyInstance, FastifyRequest, FastifySchema } from "fastify";
import { AssayError } from "../../errors.js";

export const JSON_MEDIA_TYPE = "application/json";

/** The media types of the bodies that a route takes; none if it takes no body. */
export function mediaTypesOf({ consumes, body }: FastifySchema): readonly string[] {
  return consumes ?? (body === undefined ? [] : [JSON_MEDIA_TYPE]);
}

/** Refuses a body of a type that has no parser in the scope of `app`. The error names the types that the route takes. */
export function refuseOtherTypes(app: FastifyInstance): void {
  app.addContentTypeParser("*", async (request: FastifyRequest) => {
    if (!request.is404) throw unsupportedType(request);
  });
}

/** The error for a request whose content type is not taken or is missing. */
export function unsupportedType({ headers, routeOptions }: FastifyRequest): AssayError {
  const taken = mediaTypesOf(routeOptions.schema ?? {});
  const given = headers["content-type"];
  if (taken.length === 0) {
    return new AssayError("unsupported_media_type", { detail: "This route takes no body: leave it out" });
  }
  const not = given === undefined ? "and name the type in Content-Type" : `not as ${given}`;
  return new AssayError("unsupported_media_type", {
    detail: `Send the body as ${taken.join(" or ")}, ${not}`,
  });
}

/** Refuses a compressed body, because its size after unpacking has no bound. Throws `unsupported_media_type`. */
export function refuseEncoding({ headers, routeOptions }: FastifyRequest): void {
  const encoding = headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return;
  const taken = mediaTypesOf(routeOptions.schema ?? {});
  const detail = `Content-Encoding ${encoding} is not supported: send ${taken.join(" or ") || "the request"} without an encoding`;
  throw new AssayError("unsupported_media_type", { detail });
}
