import { createHash } from "node:crypto";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform } from "@fastify/type-provider-zod";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { completeDocument } from "./openapi-document.js";
import { DOCS_POLICY } from "./plugins/safe-headers.js";

/** Serves the OpenAPI document, made from the routes' schemas, at /openapi.json and as a page at /docs. */
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
      tags: [
        { name: "score", description: "Signals, weights and explanations of a batch" },
        { name: "datasets", description: "Samples that the service remembers by id" },
        { name: "jobs", description: "Work on whole datasets that takes long" },
        { name: "directions", description: "Vectors in parameter space that samples are measured against" },
        {
          name: "estimates",
          description: "Means over a population, from samples that were not drawn evenly",
        },
        { name: "models", description: "The exported rankers" },
        { name: "operation", description: "Health and metrics" },
      ],
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
      security: [{ bearer: [] }, {}],
    },
    transform: jsonSchemaTransform,
    transformObject: completeDocument,
  });
  const document = renderOnce(() => JSON.stringify(app.swagger()));
  // The page reads the document from a folder below, so the server is one folder up.
  const ofPage = renderOnce(() => JSON.stringify({ ...app.swagger(), servers: [{ url: ".." }] }));
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: DOCS_POLICY,
    uiHooks: {
      // Swagger UI's own routes would render the document again for each request, and assume the page at its host's root.
      onRequest: (request, reply, done) => {
        const { url = "" } = request.routeOptions;
        // JSON is also valid YAML.
        if (/\/(json|yaml)$/.test(url)) sendDocument(ofPage(), request, reply);
        else if (request.url === "/docs") reply.redirect("docs/");
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

/** Renders the document once, into bytes that all answers share. */
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
