import type { z } from "zod";
import type { JobKind, JobResult } from "../jobs/kinds.js";
import type { Job } from "../jobs/port.js";
import { describeError } from "./problems.js";
import { renderTime, renderWeighing } from "./render.js";
import { renderNoise } from "./render-noise.js";
import { needsParts, renderSelection, renderSelectionFacts, selectionParts } from "./render-selection.js";
import type { jobSchema } from "./schemas/job.js";

type RenderedJob = z.infer<typeof jobSchema>;
type RenderedResult = NonNullable<RenderedJob["result"]>;
type Renderers = { readonly [K in JobKind]: (result: JobResult<K>) => RenderedResult };

/** A job as the API answers it. */
export function renderJob(job: Job): RenderedJob {
  return rendered(job, { weigh: renderWeighing, select: renderSelection, noise: renderNoise });
}

/** Whether the job has a selection that is too large to be rendered in one turn of the event loop. */
export function isLargeJob({ result }: Job): boolean {
  return result !== null && "ids" in result && needsParts(result);
}

/** The JSON of a job in parts, if `isLargeJob`. */
export async function* jobParts(job: Job): AsyncGenerator<string> {
  const { result } = job;
  if (result === null || !("ids" in result)) throw new RangeError(`job ${job.id} has no selection`);
  const { result: _, ...rest } = renderJobInList(job);
  yield `${JSON.stringify(rest).slice(0, -1)},"result":`;
  yield* selectionParts(result);
  yield "}";
}

/** A job in a list: a selection comes without its samples and strata, and noise without its suspects, because a list may have many. */
export function renderJobInList(job: Job): RenderedJob {
  return rendered(job, {
    weigh: renderWeighing,
    select: ({ facts }) => ({ ...renderSelectionFacts({ ...facts, strata: null }), samples: null }),
    noise: (noise) => ({ ...renderNoise({ ...noise, suspects: [] }), suspects: null }),
  });
}

function rendered({ id, kind, dataset, state, progress, ...job }: Job, renderers: Renderers): RenderedJob {
  const time = (timeMs: number | null): string | null => (timeMs === null ? null : renderTime(timeMs));
  // The result of a job is of its kind, but the compiler cannot see that.
  const render = renderers[kind] as (result: JobResult) => RenderedResult;
  return {
    id,
    kind,
    dataset,
    state,
    progress,
    created_at: renderTime(job.createdAtMs),
    started_at: time(job.startedAtMs),
    ended_at: time(job.endedAtMs),
    result: job.result === null ? null : render(job.result),
    problem: job.error === null ? null : describeError(job.error, `Job ${id}`),
  };
}
