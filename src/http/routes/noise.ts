import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { Jobs } from "../../jobs/port.js";
import { readDataset } from "../../scoring/datasets/remembered.js";
import type { Ports } from "../../scoring/ports.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { runAsJob } from "../long-work.js";
import { portsUntil } from "../plugins/caller.js";
import { renderNoise } from "../render-noise.js";
import { datasetParamsSchema } from "../schemas/dataset.js";
import { jobSchema, preferHeadersSchema } from "../schemas/job.js";
import { noiseAnswerSchema, noiseBodySchema } from "../schemas/noise.js";
import { BODY_PROBLEMS, problems, STORE_PROBLEMS } from "../schemas/problem.js";

export function noiseRoutes(
  { store, jobs }: Pick<Ports, "store"> & { readonly jobs: Jobs },
  limits: Limits,
): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      "/v1/datasets/:dataset/noise",
      {
        schema: {
          operationId: "estimateNoise",
          summary: "Find wrong labels",
          description:
            "Ranks the labels 0 and 1 of the dataset by the chance that they are wrong, says how many are, and answers the most suspicious with a suggested label and the reason in words. It runs no model. Nothing is kept but the job. With `Prefer: respond-async` the answer is a job at once.",
          tags: ["datasets"],
          headers: preferHeadersSchema,
          params: datasetParamsSchema,
          body: noiseBodySchema(limits),
          response: {
            200: noiseAnswerSchema,
            202: jobSchema,
            ...problems(
              "invalid_json",
              "dataset_not_found",
              "unsuitable_signal",
              "shutting_down",
              ...BODY_PROBLEMS,
              ...STORE_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) => {
        const { dataset } = request.params;
        await readDataset(portsUntil({ store }, request, reply).store, dataset);
        const { evidence = null, ...body } = request.body;
        const job = jobs.begin("noise", { dataset, evidence, ...body });
        const result = await runAsJob({ jobs, job, kind: "noise" }, request, reply);
        return result === null ? reply : renderNoise(result);
      },
    );
  };
}
