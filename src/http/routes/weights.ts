import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { Jobs } from "../../jobs/port.js";
import { servedModels } from "../../scoring/datasets/remembered.js";
import { checkWeighing } from "../../scoring/datasets/weigh-dataset.js";
import type { Ports } from "../../scoring/ports.js";
import { runAsJob } from "../long-work.js";
import { portsUntil } from "../plugins/caller.js";
import { renderWeighing } from "../render.js";
import { datasetParamsSchema, weighAnswerSchema, weighBodySchema } from "../schemas/dataset.js";
import { jobSchema, weighHeadersSchema } from "../schemas/job.js";
import { BODY_PROBLEMS, problems, STORE_PROBLEMS } from "../schemas/problem.js";

export function weightRoutes({
  rankers,
  store,
  jobs,
}: Ports & { readonly jobs: Jobs }): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      "/v1/datasets/:dataset/weights",
      {
        schema: {
          operationId: "weighDataset",
          summary: "Weigh the whole dataset",
          description:
            "Computes a weight for every sample of the dataset and keeps the weights as its newest snapshot. Look-ups answer these weights from then on. With `Prefer: respond-async` the answer is a job at once. With an `Idempotency-Key`, a repeated request is answered with the snapshot of the first, for 24 hours.",
          tags: ["datasets"],
          headers: weighHeadersSchema,
          params: datasetParamsSchema,
          body: weighBodySchema,
          response: {
            200: weighAnswerSchema,
            202: jobSchema,
            ...problems(
              "invalid_json",
              "dataset_not_found",
              "idempotency_conflict",
              "unsuitable_signal",
              "unsuitable_weighting",
              "shutting_down",
              ...BODY_PROBLEMS,
              ...STORE_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) => {
        const { dataset } = request.params;
        const { weighting } = request.body;
        await checkWeighing(portsUntil({ store }, request, reply).store, dataset, weighting);
        const idempotencyKey = request.headers["idempotency-key"] ?? null;
        const served = servedModels(rankers);
        const job = jobs.begin("weigh", { dataset, weighting, served, idempotencyKey });
        const result = await runAsJob({ jobs, job, kind: "weigh" }, request, reply);
        return result === null ? reply : renderWeighing(result);
      },
    );
  };
}
