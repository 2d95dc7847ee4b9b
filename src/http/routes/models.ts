import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { ModelDescription, Rankers } from "../../ranker/port.js";
import { modelNameSchema } from "../../scoring/requests/names.js";
import { bodyStream } from "../plugins/body-stream.js";
import { refuseOtherTypes } from "../plugins/media-types.js";
import { manifestSchema, modelSchema, uploadSchema, WEIGHTS_MEDIA_TYPES } from "../schemas/model.js";
import { BODY_PROBLEMS, problems } from "../schemas/problem.js";

const params = z.strictObject({ model: modelNameSchema });

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
              .object({
                default: z
                  .string()
                  .nullable()
                  .describe("The model of a request that names none; null if such requests are refused"),
                models: z.array(modelSchema),
                faulty: z
                  .array(z.string())
                  .describe(
                    "Folders with a fault. The service's log describes it: repair the folder, then reload it.",
                  ),
              })
              .describe("Every model folder"),
            ...problems(),
          },
        },
      },
      async () => ({
        default: rankers.defaultName,
        models: await Promise.all(rankers.describe().map(({ name }) => renderModel(rankers, name))),
        faulty: [...rankers.faulty()],
      }),
    );
    app.get(
      "/v1/models/:model",
      {
        schema: {
          operationId: "readModel",
          summary: "Describe one model",
          tags: ["models"],
          params,
          response: { 200: modelSchema, ...problems("model_not_found", "model_invalid") },
        },
      },
      async ({ params }) => renderModel(rankers, params.model),
    );
    app.get(
      "/v1/models/:model/manifest",
      {
        schema: {
          operationId: "readManifest",
          summary: "Read a model's manifest",
          description:
            "The `model.json` of the model's folder, which models/README.md explains. It says where each parameter lies in `weights.bin`: what a trainer needs to make new weights without the folder.",
          tags: ["models"],
          params,
          response: { 200: manifestSchema, ...problems("model_not_found", "model_invalid") },
        },
      },
      async ({ params }) => ({ ...rankers.manifest(params.model) }),
    );
    app.post(
      "/v1/models/:model/reload",
      {
        schema: {
          operationId: "reloadModel",
          summary: "Load a model's folder again",
          description:
            "Reads the folder of that name in the models folder; the folder may be new. The service loads the new model while the old one is still served, and swaps the two once the new one has passed its checks. No request fails because of a reload: requests that have begun finish on the old model, and the reload is answered when they have finished. A folder with a fault is refused, and the old model is still served.",
          tags: ["models"],
          params,
          response: {
            200: modelSchema.describe("The model that is served now"),
            ...problems(
              "model_not_found",
              "model_invalid",
              "model_busy",
              "model_rejected",
              "memory_insufficient",
              ...BODY_PROBLEMS,
            ),
          },
        },
      },
      async ({ params }) => {
        await rankers.reload(params.model);
        return renderModel(rankers, params.model);
      },
    );
    await app.register(weightRoutes(rankers));
  };
}

/** A separate plugin scope, because this route reads nothing but weights, and no other route reads them. */
function weightRoutes(rankers: Rankers): FastifyPluginAsyncZod {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser([...WEIGHTS_MEDIA_TYPES], async (request: FastifyRequest) =>
      bodyStream(request),
    );
    refuseOtherTypes(app);
    app.put(
      "/v1/models/:model/weights",
      {
        schema: {
          operationId: "replaceWeights",
          summary: "Replace a model's weights",
          description: `Send the file that \`python -m assay.export weights\` writes (docs/models.md), under either media type. It holds the weights of another checkpoint of the same architecture. The service checks them, swaps them in as a reload does, and saves them in the model's folder before it answers. Weights with a fault are refused, and the old ones are still served.`,
          tags: ["models"],
          consumes: [...WEIGHTS_MEDIA_TYPES],
          params,
          body: uploadSchema,
          response: {
            200: modelSchema.describe("The model that is served now"),
            ...problems(
              "model_not_found",
              "model_invalid",
              "model_busy",
              "model_rejected",
              "model_read_only",
              "memory_insufficient",
              "weights_invalid",
              ...BODY_PROBLEMS,
            ),
          },
        },
      },
      async ({ params, body }) => {
        await rankers.replaceWeights(params.model, body);
        return renderModel(rankers, params.model);
      },
    );
  };
}

function renderLearned({ learned, version }: ModelDescription): z.infer<typeof modelSchema>["learned"] {
  if (learned === null) return null;
  const { target, loss, inputs, modelVersion, heldOut, provenance } = learned;
  return {
    target,
    loss,
    inputs: { ...inputs, signals: [...inputs.signals], extras: [...inputs.extras] },
    model_version: modelVersion,
    stale: modelVersion !== version,
    held_out: { ...heldOut },
    provenance: { ...provenance },
  };
}

async function renderModel(rankers: Rankers, name: string): Promise<z.infer<typeof modelSchema>> {
  const { model, memory, state } = rankers.inspect(name);
  return {
    name: model.name,
    version: model.version,
    status: state.status,
    task: model.task,
    classes: model.classes,
    class_names: model.classNames === null ? null : [...model.classNames],
    tokens_max: model.tokensMax,
    precisions: [...model.precisions],
    precision: model.precision,
    gradient_graphs: [...model.gradientGraphs],
    gradient_graphs_unsupported: model.gradientGraphsUnsupported,
    gradient_scope: model.gradientScope,
    embedding: model.embedding,
    memory: {
      used_bytes: await rankers.memoryBytes(name),
      forward_bytes: memory.forwardBytes,
      all_graphs_bytes: memory.allGraphsBytes,
    },
    learned: renderLearned(model),
    provenance: { ...model.provenance },
    metrics: { ...model.metrics },
    licence: { ...model.licence },
  };
}
