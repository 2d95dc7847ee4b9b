import type { FastifyReply, FastifyRequest } from "fastify";
import { AssayError } from "../errors.js";
import type { JobKind, JobResult } from "../jobs/kinds.js";
import type { Job, Jobs } from "../jobs/port.js";
import { callerOf } from "./plugins/caller.js";
import { renderJob } from "./render-job.js";

/** A job that a request has begun. */
interface BegunJob<K extends JobKind> {
  readonly jobs: Jobs;
  readonly job: Job;
  readonly kind: K;
}

/**
 * Waits for the job's result. With `Prefer: respond-async` (RFC 7240) answers 202 with the job instead, and null says so. If the
 * client disconnects, or its time is over, the job ends too: nobody would read its result.
 */
export async function runAsJob<K extends JobKind>(
  { jobs, job, kind }: BegunJob<K>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<JobResult<K> | null> {
  const path = `/v1/jobs/${job.id}`;
  if (prefersAsync(request)) {
    reply.code(202).header("location", path).header("preference-applied", "respond-async");
    await reply.send(renderJob(job));
    return null;
  }
  try {
    return await jobs.result(job.id, kind, callerOf(request, reply).signal);
  } catch (error) {
    if (!(error instanceof AssayError) || error.code !== "deadline_exceeded") throw error;
    throw new AssayError("deadline_exceeded", {
      detail: `${error.message}. The work has ended too: send "Prefer: respond-async", and read the result from the job`,
      cause: error,
    });
  }
}

function prefersAsync({ headers }: FastifyRequest): boolean {
  const given = headers.prefer;
  const preferences = (Array.isArray(given) ? given.join(",") : (given ?? "")).split(",");
  return preferences.some((each) => each.trim().toLowerCase() === "respond-async");
}
