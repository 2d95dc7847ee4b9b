import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { Jobs } from "../../jobs/port.js";
import { servedModels } from "../../scoring/datasets/remembered.js";
import { checkSelecting } from "../../scoring/datasets/select-dataset.js";
import type { Ports } from "../../scoring/ports.js";
import type { Limits } from "../../scoring/requests/limits.js";
import { selectionSchema } from "../../scoring/requests/selection-schema.js";
import { runAsJob } from "../long-work.js";
import { prefersLines } from "../plugins/accept.js";
import { portsUntil } from "../plugins/caller.js";
import { NDJSON_MEDIA_TYPE } from "../plugins/ndjson.js";
import { answerJsonInParts } from "../plugins/streamed-answer.js";
import { answerSelectionInLines, needsParts, renderSelection, selectionParts } from "../render-selection.js";
import { datasetParamsSchema } from "../schemas/dataset.js";
import { jobSchema, preferHeadersSchema } from "../schemas/job.js";
import { BODY_PROBLEMS, problems, STORE_PROBLEMS } from "../schemas/problem.js";
import { selectAnswerSchema } from "../schemas/selection.js";

export function selectRoutes(
  { rankers, store, jobs }: Ports & { readonly jobs: Jobs },
  limits: Limits,
): FastifyPluginAsyncZod {
  return async (app) => {
    app.post(
      "/v1/datasets/:dataset/select",
      {
        schema: {
          operationId: "selectSamples",
          summary: "Select samples of a dataset",
          description: `Selects samples by a signal or by the weights of the newest snapshot, and answers their ids, with probabilities and multipliers for the methods that draw. Nothing is kept but the job. With \`Accept: ${NDJSON_MEDIA_TYPE}\` the first line has the facts of the selection, and each further line one sample: ask for lines to select hundreds of thousands. With \`Prefer: respond-async\` the answer is a job at once.`,
          tags: ["datasets"],
          headers: preferHeadersSchema,
          params: datasetParamsSchema,
          body: selectionSchema(limits),
          response: {
            200: selectAnswerSchema,
            202: jobSchema,
            ...problems(
              "invalid_json",
              "dataset_not_found",
              "unsuitable_signal",
              "unsuitable_selection",
              "shutting_down",
              ...BODY_PROBLEMS,
              ...STORE_PROBLEMS,
            ),
          },
        },
      },
      async (request, reply) => {
        const { dataset } = request.params;
        const selection = request.body;
        await checkSelecting(portsUntil({ store }, request, reply).store, dataset, selection);
        const job = jobs.begin("select", { dataset, selection, served: servedModels(rankers) });
        const result = await runAsJob({ jobs, job, kind: "select" }, request, reply);
        if (result === null) return reply;
        if (prefersLines(request.headers.accept)) return answerSelectionInLines(result, request, reply);
        if (!needsParts(result)) return renderSelection(result);
        return answerJsonInParts(selectionParts(result), request, reply);
      },
    );
  };
}
