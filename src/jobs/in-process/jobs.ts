import { randomUUID } from "node:crypto";
import { AssayError, asAssayError } from "../../errors.js";
import { unlessAborted } from "../../scoring/requests/store-until.js";
import type { JobInput, JobKind, JobResult } from "../kinds.js";
import type { Job, Jobs } from "../port.js";
import { bytesOf } from "./bytes.js";
import type { Executor } from "./executor.js";

export interface JobsOptions {
  readonly executor: Executor;
  /** Jobs that may wait for the running one. */
  readonly waitingMax?: number;
  /** Makes the id of a job. */
  readonly newId?: () => string;
  /** Called when the work of a job has thrown, for the log. */
  readonly onFailed?: (job: Job, error: AssayError) => void;
  /** An ended job can be read for this long. */
  readonly keptMs?: number;
  /** Bytes of the results that are kept. The oldest job is forgotten first; the newest result is kept, however large. */
  readonly resultsBytesMax?: number;
  /** Bytes of what the waiting jobs were given. */
  readonly inputsBytesMax?: number;
}

const WAITING_MAX = 32;
const KEPT_MS = 3600 * 1000;
/** Ended jobs that can be read. */
const KEPT_MAX = 1000;
const RESULTS_BYTES_MAX = 256 * 2 ** 20;
const INPUTS_BYTES_MAX = 256 * 2 ** 20;

interface Entry {
  job: Job;
  /** Of its result, while it has one. */
  resultBytes: number;
  readonly controller: AbortController;
  /** Resolves when the job has ended. */
  readonly ended: Promise<void>;
  readonly end: () => void;
}

/** A job that has not begun. What it was given is not kept after that. */
interface Waiting {
  readonly entry: Entry;
  readonly input: JobInput;
  readonly inputBytes: number;
}

/** Jobs of this process, one after another in the order in which they began. They end with the process. */
export function openJobs({
  executor,
  newId = randomUUID,
  onFailed = () => {},
  waitingMax = WAITING_MAX,
  keptMs = KEPT_MS,
  resultsBytesMax = RESULTS_BYTES_MAX,
  inputsBytesMax = INPUTS_BYTES_MAX,
}: JobsOptions): Jobs {
  const entries = new Map<string, Entry>();
  const waiting: Waiting[] = [];
  let running: Promise<void> | null = null;
  let closed = false;

  function find(id: string): Entry {
    forgetOld();
    const entry = entries.get(id);
    if (entry === undefined)
      throw new AssayError("job_not_found", {
        detail: `This process has no job ${JSON.stringify(id)}: a job can be read for an hour after its end, from the process that ran it, but not once later jobs need the room of its result (${resultsBytesMax} bytes for all)`,
      });
    return entry;
  }

  function forgetOld(): void {
    const ended = [...entries.values()].filter(({ job }) => job.endedAtMs !== null);
    const surplus = ended.length - KEPT_MAX;
    for (const [index, { job }] of ended.entries())
      if (index < surplus || Date.now() - (job.endedAtMs ?? 0) > keptMs) entries.delete(job.id);
    forgetLarge();
  }

  function forgetLarge(): void {
    const large = [...entries.values()].filter(({ resultBytes }) => resultBytes > 0);
    let bytes = large.reduce((sum, { resultBytes }) => sum + resultBytes, 0);
    for (const { job, resultBytes } of large.slice(0, -1)) {
      if (bytes <= resultsBytesMax) return;
      entries.delete(job.id);
      bytes -= resultBytes;
    }
  }

  function settle(entry: Entry, outcome: Pick<Job, "state" | "result" | "error">): void {
    const progress = outcome.state === "done" ? 1 : entry.job.progress;
    entry.job = { ...entry.job, ...outcome, progress, endedAtMs: Date.now() };
    entry.resultBytes = outcome.result === null ? 0 : bytesOf(outcome.result);
    entry.end();
    forgetLarge();
  }

  function end(entry: Entry, reason: unknown): void {
    if (entry.job.endedAtMs !== null) return;
    entry.controller.abort(reason);
    const place = waiting.findIndex((next) => next.entry === entry);
    if (place < 0) return;
    waiting.splice(place, 1);
    settle(entry, { state: "cancelled", result: null, error: null });
  }

  async function work({ entry, input }: Waiting): Promise<void> {
    const { signal } = entry.controller;
    if (signal.aborted) return settle(entry, { state: "cancelled", result: null, error: null });
    entry.job = { ...entry.job, state: "running", startedAtMs: Date.now() };
    const onProgress = (progress: number): void => {
      entry.job = { ...entry.job, progress };
    };
    try {
      const result = await executor.run(entry.job.kind, input, { signal, onProgress });
      settle(entry, { state: "done", result, error: null });
    } catch (error) {
      if (signal.aborted) settle(entry, { state: "cancelled", result: null, error: null });
      else {
        settle(entry, { state: "failed", result: null, error: asAssayError(error) });
        onFailed(entry.job, asAssayError(error));
      }
    }
  }

  async function workAll(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await work(next);
    running = null;
  }

  return {
    begin(kind, input) {
      if (closed) throw new AssayError("shutting_down");
      forgetOld();
      if (waiting.length >= waitingMax)
        throw new AssayError("overloaded", {
          detail: `${waitingMax} jobs are waiting: send the request again later`,
        });
      const inputBytes = bytesOf(input);
      const inputsBytes = waiting.reduce((sum, next) => sum + next.inputBytes, inputBytes);
      if (waiting.length > 0 && inputsBytes > inputsBytesMax)
        throw new AssayError("overloaded", {
          detail: `The requests of the jobs that wait may take ${inputsBytesMax} bytes: send the request again later`,
        });
      const { promise: ended, resolve } = withResolver();
      const job: Job = {
        id: newId(),
        kind,
        dataset: input.dataset,
        state: "queued",
        progress: 0,
        createdAtMs: Date.now(),
        startedAtMs: null,
        endedAtMs: null,
        result: null,
        error: null,
      };
      const entry: Entry = { job, resultBytes: 0, controller: new AbortController(), ended, end: resolve };
      entries.set(job.id, entry);
      waiting.push({ entry, input, inputBytes });
      running ??= workAll();
      return entry.job;
    },

    read: (id) => find(id).job,

    list() {
      forgetOld();
      return [...entries.values()].map(({ job }) => job).reverse();
    },

    cancel(id) {
      const entry = find(id);
      end(entry, new AssayError("cancelled", { detail: `Job ${id} was cancelled` }));
      return entry.job;
    },

    async result<K extends JobKind>(id: string, kind: K, signal: AbortSignal): Promise<JobResult<K>> {
      const entry = find(id);
      if (entry.job.kind !== kind) throw new RangeError(`job ${id} is no ${kind}`);
      try {
        signal.throwIfAborted();
        await unlessAborted(entry.ended, signal);
      } catch (reason) {
        end(entry, reason);
        throw reason;
      }
      const { state, result, error } = entry.job;
      if (error !== null) throw error;
      if (state === "cancelled" || result === null) throw entry.controller.signal.reason;
      entry.job = { ...entry.job, result: null };
      entry.resultBytes = 0;
      return result as JobResult<K>;
    },

    async close() {
      closed = true;
      for (const { job, controller } of entries.values())
        if (job.endedAtMs === null) controller.abort(new AssayError("shutting_down"));
      await running;
      await executor.close();
    },
  };
}

function withResolver(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
