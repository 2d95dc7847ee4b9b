import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import { weighDataset } from "../../scoring/datasets/weigh-dataset.js";
import type { Ports } from "../../scoring/ports.js";
import { portsUntil, timeoutHeadersSchema } from "../plugins/caller.js";
import { renderDiagnostics, renderSnapshot } from "../render.js";
import { datasetParamsSchema, weighAnswerSchema, weighBodySchema } from "../schemas/dataset.js";
import { BODY_PROBLEMS, problems, STORE_PROBLEMS } from "../schemas/problem.js";

export function weightRoutes(ports: Ports): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      "/v1/datasets/:dataset/weights",
      {
        schema: {
          operationId: "weighDataset",
          summary: "Weigh the whole dataset",
          description:
            "Computes a weight for every sample of the dataset and keeps the weights as its newest snapshot. Look-ups answer these weights from then on.",
          tags: ["datasets"],
          headers: timeoutHeadersSchema,
          params: datasetParamsSchema,
          body: weighBodySchema,
          response: {
            200: weighAnswerSchema,
            ...problems(
              "invalid_json",
              "dataset_not_found",
              "unsuitable_signal",
              "unsuitable_weighting",
              ...BODY_PROBLEMS,
              ...STORE_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) => {
        const { snapshot, diagnostics, advice } = await weighDataset(
          portsUntil(ports, request, reply),
          request.params.dataset,
          request.body.weighting,
        );
        return { snapshot: renderSnapshot(snapshot), diagnostics: renderDiagnostics(diagnostics, advice) };
      },
    );
  };
}
