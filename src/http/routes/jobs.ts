import type { FastifyPluginAsyncZod } from "@fastify/type-provider-zod";
import type { Jobs } from "../../jobs/port.js";
import { renderJob } from "../render-job.js";
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
      async () => ({ jobs: jobs.list().map(renderJob) }),
    );

    app.get(
      "/v1/jobs/:job",
      {
        schema: {
          operationId: "readJob",
          summary: "Read a job's state, progress and result",
          tags: ["jobs"],
          params: jobParamsSchema,
          response: { 200: jobSchema, ...problems("job_not_found") },
        },
      },
      async ({ params }) => renderJob(jobs.read(params.job)),
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
      async ({ params }) => renderJob(jobs.cancel(params.job)),
    );
  };
}
