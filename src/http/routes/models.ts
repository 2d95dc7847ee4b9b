import type { IncomingMessage } from "node:http";
import { finished } from "node:stream";
import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { AssayError } from "../../errors.js";
import type { Rankers, ServedModel } from "../../ranker/port.js";
import { modelNameSchema } from "../../scoring/names.js";
import { modelSchema, WEIGHTS_MEDIA_TYPE } from "../schemas/model.js";
import { problems } from "../schemas/problem.js";

/** An upload of which no byte comes for this long is given up: it keeps others from replacing the model. */
const UPLOAD_IDLE_MS = 60_000;

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
              .object({ default: z.string(), models: z.array(modelSchema) })
              .describe("Every model folder"),
            ...problems(),
          },
        },
      },
      async () => ({
        default: rankers.defaultName,
        models: rankers.describe().map(({ name }) => renderModel(rankers.inspect(name))),
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
          response: { 200: modelSchema, ...problems("invalid_request", "model_not_found") },
        },
      },
      async ({ params }) => renderModel(rankers.inspect(params.model)),
    );
    app.post(
      "/v1/models/:model/reload",
      {
        schema: {
          operationId: "reloadModel",
          summary: "Load a model's folder again",
          description:
            "Reads the folder of that name in the models folder, also one that is new, loads it beside the model that serves and swaps the two once the new one has passed its checks. No request fails for it: those under way finish on the old one, and the answer comes when they have. A faulty folder is refused, and the old model serves on.",
          tags: ["models"],
          params,
          response: {
            200: modelSchema.describe("The model that serves now"),
            ...problems("invalid_request", "model_not_found", "model_rejected"),
          },
        },
      },
      async ({ params }) => {
        await rankers.reload(params.model);
        return renderModel(rankers.inspect(params.model));
      },
    );
    await app.register(weightRoutes(rankers));
  };
}

/** In a scope of its own: nothing but weights is read here, and they are read nowhere else. */
function weightRoutes(rankers: Rankers): FastifyPluginAsyncZod {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(WEIGHTS_MEDIA_TYPE, async ({ headers, raw }: FastifyRequest) => {
      const encoding = headers["content-encoding"] ?? "identity";
      if (encoding === "identity") return uploadOf(raw);
      const detail = `Content-Encoding ${encoding} is not taken: send the weights as they are`;
      throw new AssayError("unsupported_media_type", { detail });
    });
    app.put(
      "/v1/models/:model/weights",
      {
        schema: {
          operationId: "replaceWeights",
          summary: "Replace a model's weights",
          description: `Takes \`${WEIGHTS_MEDIA_TYPE}\`, which \`python -m assay.export weights\` writes (docs/models.md): the weights of another checkpoint of the same architecture. They are checked, swapped in as a reload does, and in the model's folder for good when the answer comes. Faulty ones are refused, and the old ones serve on.`,
          tags: ["models"],
          params,
          response: {
            200: modelSchema.describe("The model that serves now"),
            ...problems(
              "invalid_request",
              "model_not_found",
              "model_busy",
              "body_too_large",
              "unsupported_media_type",
              "weights_invalid",
            ),
          },
        },
      },
      async ({ params, body }) => {
        await rankers.replaceWeights(params.model, (body ?? noUpload()) as AsyncIterable<Uint8Array>);
        return renderModel(rankers.inspect(params.model));
      },
    );
  };
}

/**
 * The body as it comes. What is left of one that is refused half-way is read and thrown away: a connection that is closed
 * with unread bytes may lose the answer. Throws `cancelled` where the client goes away or stalls.
 */
async function* uploadOf(request: IncomingMessage): AsyncGenerator<Uint8Array> {
  request.setTimeout(UPLOAD_IDLE_MS, () =>
    request.destroy(new Error(`no byte came for ${UPLOAD_IDLE_MS} ms`)),
  );
  finished(request, () => request.setTimeout(0));
  try {
    yield* request.iterator({ destroyOnReturn: false });
  } catch (cause) {
    throw new AssayError("cancelled", { detail: `The upload broke off: ${(cause as Error).message}`, cause });
  } finally {
    request.resume();
  }
}

/** A request without a body or a content type. */
function noUpload(): never {
  throw new AssayError("unsupported_media_type", { detail: `Send the weights as ${WEIGHTS_MEDIA_TYPE}` });
}

function renderModel({ model, state }: ServedModel): z.infer<typeof modelSchema> {
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
    provenance: { ...model.provenance },
    metrics: { ...model.metrics },
    licence: { ...model.licence },
  };
}
