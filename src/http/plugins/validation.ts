import type { FastifyInstance, FastifySchema, FastifySchemaCompiler } from "fastify";
import { z } from "zod";
import { type AssayError, bodyFault, type Fault, faultsError } from "../../errors.js";
import { checkSchema, fieldsOf } from "../../scoring/requests/schema-faults.js";
import { mediaTypesOf } from "./media-types.js";

/**
 * Checks each request against the zod schemas of its route, and refuses unknown fields. A route without a schema for its query
 * takes no query parameter. Throws `invalid_request` with each fault. Register this before the routes.
 */
export function validateRequests(app: FastifyInstance): void {
  const schemas = new Map<string, FastifySchema>();
  app.addHook("onRoute", (route) => {
    route.schema = { querystring: NO_QUERY, ...route.schema };
    for (const method of [route.method].flat()) schemas.set(`${method} ${route.url}`, route.schema);
  });
  const compile: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart, method, url }) => {
    const route = schemas.get(`${method} ${url}`) ?? {};
    return (data: unknown) => {
      // Fastify passes null if there is no body.
      if (httpPart === "body" && data === null) return { error: missingBody(route) };
      const { faults, ...checked } = checkSchema(schema, data);
      if (faults === undefined) return checked;
      const located =
        httpPart === "body" ? faults : faults.map((fault) => parameterFault(fault, schema, httpPart, route));
      return { error: faultsError("invalid_request", located) };
    };
  };
  app.setValidatorCompiler(compile);
}

const NO_QUERY = z.strictObject({});

function missingBody(route: FastifySchema): AssayError {
  return bodyFault("invalid_request", `is missing, or null: send it as ${mediaTypesOf(route).join(" or ")}`);
}

/** The fault of a parameter, whose path is its name. If an unknown parameter is a field of the body, the message says so. */
function parameterFault(
  { path, message }: Fault,
  schema: z.ZodType,
  httpPart: string | undefined,
  route: FastifySchema,
): Fault {
  const name = parameterOf(path);
  if (httpPart !== "querystring" || fieldsOf(schema).includes(name)) return { path: name, message };
  const taken = fieldsOf(schema);
  const takes = taken.length === 0 ? "which takes none" : `which takes ${taken.join(", ")}`;
  const hint = fieldsOf(route.body).includes(name) ? ": it is a field of the body" : "";
  return { path: name, message: `is not a query parameter of this route, ${takes}${hint}` };
}

/** The parameter that a JSON pointer leads into: a parameter may be a list, and the fault that of an entry. */
function parameterOf(path: string): string {
  const [, name = ""] = path.split("/");
  return name.replaceAll("~1", "/").replaceAll("~0", "~");
}
