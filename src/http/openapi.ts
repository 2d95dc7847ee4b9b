import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform } from "@fastify/type-provider-zod";
import type { FastifyInstance } from "fastify";
import { completeDocument } from "./openapi-document.js";

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
    transformObject: completeDocument,
  });
  await app.register(swaggerUi, { routePrefix: "/docs" });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}
