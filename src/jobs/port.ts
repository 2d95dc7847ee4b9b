import type { AssayError } from "../errors.js";
import type { JobInput, JobKind, JobResult, LookKind, WorkInput, WorkResult } from "./kinds.js";

export const JOB_STATES = ["queued", "running", "done", "failed", "cancelled"] as const;
export type JobState = (typeof JOB_STATES)[number];

/** One piece of long work, at one moment. */
export interface Job {
  readonly id: string;
  readonly kind: JobKind;
  /** The dataset that it works on. */
  readonly dataset: string;
  readonly state: JobState;
  /** Share of the work that is done, 0 to 1. */
  readonly progress: number;
  readonly createdAtMs: number;
  /** Null until it runs. */
  readonly startedAtMs: number | null;
  /** Null until it has ended. */
  readonly endedAtMs: number | null;
  /** Present once the state is `done`, unless a request has waited for it and got it. */
  readonly result: JobResult | null;
  /** Present once the state is `failed`. */
  readonly error: AssayError | null;
}

/** Looks at whole datasets, in a thread of their own. */
export interface Looks {
  /**
   * The result of a look. Throws what the work throws.
   *
   * @param signal ends the look with its reason
   */
  at<K extends LookKind>(kind: K, input: WorkInput<K>, signal: AbortSignal): Promise<WorkResult<K>>;
  close(): Promise<void>;
}

/** Work that takes too long for the thread that answers requests. */
export interface Jobs {
  /** Begins a job, or puts it in line. Throws `overloaded` if too many wait, or if they were given too much. */
  begin<K extends JobKind>(kind: K, input: JobInput<K>): Job;
  /** The job with this id. Throws `job_not_found` if there is none, or if it ended too long ago, or if its result had no room. */
  read(id: string): Job;
  /** The jobs that wait, run or ended a while ago, the newest first. */
  list(): readonly Job[];
  /** Asks the job to end. A job that has ended stays as it is. Throws `job_not_found`. */
  cancel(id: string): Job;
  /**
   * The result of a job, once it has ended. The job does not keep it. Throws its error, or `cancelled`.
   *
   * @param signal ends the waiting and the job with its reason
   */
  result<K extends JobKind>(id: string, kind: K, signal: AbortSignal): Promise<JobResult<K>>;
  /** Cancels all jobs and waits for them. */
  close(): Promise<void>;
}
