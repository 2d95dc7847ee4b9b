import type { z } from "zod";
import type { Job } from "../jobs/port.js";
import { describeError } from "./problems.js";
import { renderTime, renderWeighing } from "./render.js";
import type { jobSchema } from "./schemas/job.js";

/** A job as the API answers it. */
export function renderJob({ id, kind, dataset, state, progress, ...job }: Job): z.infer<typeof jobSchema> {
  const time = (timeMs: number | null): string | null => (timeMs === null ? null : renderTime(timeMs));
  return {
    id,
    kind,
    dataset,
    state,
    progress,
    created_at: renderTime(job.createdAtMs),
    started_at: time(job.startedAtMs),
    ended_at: time(job.endedAtMs),
    result: job.result === null ? null : renderWeighing(job.result),
    problem: job.error === null ? null : describeError(job.error, `Job ${id}`),
  };
}
