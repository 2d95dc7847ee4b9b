import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { z } from "zod";
import type { ModelDescription, Rankers } from "../../ranker/port.js";
import { PRECISIONS } from "../../ranker/port.js";
import { modelNameSchema } from "../../scoring/names.js";
import { problems } from "../schemas/problem.js";

const modelSchema = z
  .object({
    name: z.string(),
    version: z.string(),
    task: z.enum(["binary", "regression", "classification"]),
    classes: z.number().int(),
    class_names: z.array(z.string()).nullable(),
    tokens_max: z.number().int(),
    precisions: z.array(z.enum(PRECISIONS)),
    precision: z.enum(PRECISIONS).describe("Of a request that names none"),
    provenance: z.record(z.string(), z.unknown()),
    metrics: z.record(z.string(), z.unknown()),
    licence: z.record(z.string(), z.unknown()),
  })
  .meta({ id: "Model", description: "An exported ranker" });

export function modelRoutes(rankers: Rankers): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      "/v1/models",
      {
        schema: {
          operationId: "listModels",
          summary: "List the models",
          tags: ["models"],
          response: {
            200: z
              .object({ default: z.string(), models: z.array(modelSchema) })
              .describe("Every model folder"),
            ...problems(),
          },
        },
      },
      async () => ({ default: rankers.defaultName, models: rankers.describe().map(renderModel) }),
    );
    app.get(
      "/v1/models/:model",
      {
        schema: {
          operationId: "readModel",
          summary: "Describe one model",
          tags: ["models"],
          params: z.strictObject({ model: modelNameSchema }),
          response: { 200: modelSchema, ...problems("invalid_request", "model_not_found") },
        },
      },
      async ({ params }) => renderModel(rankers.get(params.model).model),
    );
  };
}

function renderModel(model: ModelDescription): z.infer<typeof modelSchema> {
  return {
    name: model.name,
    version: model.version,
    task: model.task,
    classes: model.classes,
    class_names: model.classNames === null ? null : [...model.classNames],
    tokens_max: model.tokensMax,
    precisions: [...model.precisions],
    precision: model.precision,
    provenance: { ...model.provenance },
    metrics: { ...model.metrics },
    licence: { ...model.licence },
  };
}
