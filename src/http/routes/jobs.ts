import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { Jobs } from "../../jobs/port.js";
import { prefersLines } from "../plugins/accept.js";
import { NDJSON_MEDIA_TYPE } from "../plugins/ndjson.js";
import { answerJsonInParts } from "../plugins/streamed-answer.js";
import { isLargeJob, jobParts, renderJob, renderJobInList } from "../render-job.js";
import { answerSelectionInLines } from "../render-selection.js";
import { jobListSchema, jobParamsSchema, jobSchema } from "../schemas/job.js";
import { BODY_PROBLEMS, problems } from "../schemas/problem.js";

export function jobRoutes(jobs: Jobs): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      "/v1/jobs",
      {
        schema: {
          operationId: "listJobs",
          summary: "List the jobs of this process",
          tags: ["jobs"],
          response: { 200: jobListSchema, ...problems() },
        },
      },
      async () => ({ jobs: jobs.list().map(renderJobInList) }),
    );

    app.get(
      "/v1/jobs/:job",
      {
        schema: {
          operationId: "readJob",
          summary: "Read a job's state, progress and result",
          description: `With \`Accept: ${NDJSON_MEDIA_TYPE}\`, a selection that is done is answered in JSON lines, as its request would have been.`,
          tags: ["jobs"],
          params: jobParamsSchema,
          response: { 200: jobSchema, ...problems("job_not_found") },
        },
      },
      async (request, reply) => {
        const job = jobs.read(request.params.job);
        const { accept } = request.headers;
        if (job.result !== null && "ids" in job.result && prefersLines(accept))
          return answerSelectionInLines(job.result, request, reply);
        return isLargeJob(job) ? answerJsonInParts(jobParts(job), request, reply) : renderJob(job);
      },
    );

    app.delete(
      "/v1/jobs/:job",
      {
        schema: {
          operationId: "cancelJob",
          summary: "Cancel a job",
          description: "Asks the job to end. A job that has ended stays as it is.",
          tags: ["jobs"],
          params: jobParamsSchema,
          response: { 200: jobSchema, ...problems("job_not_found", ...BODY_PROBLEMS) },
        },
      },
      async (request, reply) => {
        const job = jobs.cancel(request.params.job);
        return isLargeJob(job) ? answerJsonInParts(jobParts(job), request, reply) : renderJob(job);
      },
    );
  };
}
