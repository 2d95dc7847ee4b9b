import { createHash } from "node:crypto";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "@fastify/type-provider-zod";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { NDJSON_MEDIA_TYPE } from "./plugins/ndjson.js";
import { DOCS_POLICY } from "./plugins/safe-headers.js";

type Document = ReturnType<typeof jsonSchemaTransformObject>;

/** Answers the OpenAPI document, made from the routes' schemas, at /openapi.json and as a page at /docs. */
export async function serveOpenApi(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Assay",
        version,
        description:
          "Tells a training pipeline which samples matter: per-sample loss, importance and training weights.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/" }],
      tags: [
        { name: "score", description: "Signals and weights of a batch" },
        { name: "datasets", description: "What is remembered by sample id" },
        { name: "directions", description: "Vectors in parameter space that samples are measured against" },
        { name: "models", description: "The exported rankers" },
        { name: "operation", description: "Health and metrics" },
      ],
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
      security: [{ bearer: [] }, {}],
    },
    transform: jsonSchemaTransform,
    transformObject: (input) => withoutUnused(withMediaTypes(jsonSchemaTransformObject(input))),
  });
  const document = renderOnce(() => JSON.stringify(app.swagger()));
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: DOCS_POLICY,
    uiHooks: {
      // Its own routes would write the document anew for each request.
      onRequest: (request, reply, done) => {
        const { url = "" } = request.routeOptions;
        // JSON is YAML, too.
        if (/\/(json|yaml)$/.test(url)) sendDocument(document(), request, reply);
        else done();
      },
    },
  });
  app.get("/openapi.json", { schema: { hide: true } }, async (request, reply) =>
    sendDocument(document(), request, reply),
  );
}

interface Rendered {
  readonly bytes: Buffer;
  readonly etag: string;
}

/** The document as bytes, which any number of answers share. */
function renderOnce(render: () => string): () => Rendered {
  let rendered: Rendered | undefined;
  return () => {
    if (rendered === undefined) {
      const bytes = Buffer.from(render());
      rendered = { bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url")}"` };
    }
    return rendered;
  };
}

function sendDocument({ bytes, etag }: Rendered, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers({ etag, "cache-control": "no-cache" });
  if (request.headers["if-none-match"] === etag) return reply.code(304).send();
  return reply.type("application/json; charset=utf-8").send(bytes);
}

/** Problems, metrics and JSON lines have media types of their own, which the type provider does not let a route say. */
function withMediaTypes(document: Document): Document {
  const copy = structuredClone(document) as { paths?: Record<string, Record<string, Operation>> };
  for (const operations of Object.values(copy.paths ?? {})) {
    for (const { requestBody, responses = {} } of Object.values(operations)) {
      const [body, answer] = [requestBody?.content, responses["200"]?.content];
      if (body?.[NDJSON_MEDIA_TYPE] && answer) {
        body[NDJSON_MEDIA_TYPE] = { schema: { type: "string", description: "A sample a line" } };
        answer[NDJSON_MEDIA_TYPE] = {
          schema: { type: "string", description: "To lines: progress, then this" },
        };
      }
      for (const response of Object.values(responses)) {
        const json = response.content?.["application/json"];
        if (json?.schema?.$ref === "#/components/schemas/Problem")
          response.content = { "application/problem+json": json };
        if (json?.schema?.type === "string") response.content = { "text/plain": json };
      }
    }
  }
  return copy as Document;
}

interface Operation {
  readonly requestBody?: { content?: Content };
  readonly responses?: Record<string, { content?: Content }>;
}

type Content = Record<string, { schema?: { $ref?: string; type?: string; description?: string } }>;

/** The provider writes each named schema twice, as input and as output; only those that a route names stay. */
function withoutUnused(document: Document): Document {
  const copy = structuredClone(document) as { components?: { schemas?: Record<string, unknown> } };
  const schemas = copy.components?.schemas ?? {};
  for (;;) {
    const text = JSON.stringify(copy);
    const unused = Object.keys(schemas).filter((name) => !text.includes(`"#/components/schemas/${name}"`));
    if (unused.length === 0) return copy as Document;
    for (const name of unused) delete schemas[name];
  }
}
