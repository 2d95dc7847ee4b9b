import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { readConfig } from "../config.js";
import { AssayError, ERRORS, type ErrorCode, type Fault } from "../errors.js";
import type { Progress } from "./progress.js";

/** The options of a command that speaks to a running service. */
export interface ServiceOptions {
  readonly url?: string;
  readonly key?: string;
}

export function addServiceOptions(command: Command): Command {
  return command
    .option("--url <url>", "address of the running service (default: this machine, at ASSAY_PORT)")
    .option("--key <key>", "bearer key of the service (default: the first of ASSAY_API_KEYS)");
}

/** A running service, as a command speaks to it. */
export interface Service {
  /**
   * One request. Throws the problem that the service answers as an error of the catalogue, and `config_invalid` if no service
   * answers.
   *
   * @param path from `/v1` on
   */
  call(path: string, request?: ServiceRequest): Promise<Response>;
  readonly signal: AbortSignal;
}

export interface ServiceRequest {
  readonly method?: "GET" | "POST" | "PUT" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: object;
  /** In place of the service's own. */
  readonly signal?: AbortSignal;
}

/** @param signal ends every request */
export function openService({ url, key }: ServiceOptions, signal: AbortSignal): Service {
  const { port, apiKeys } = readConfig(process.env);
  const base = (url ?? `http://127.0.0.1:${port}`).replace(/\/+$/, "");
  if (!/^https?:\/\//.test(base) || !URL.canParse(base))
    throw new AssayError("config_invalid", {
      detail: `--url ${base} is not an address such as http://127.0.0.1:8080`,
    });
  const bearer = key ?? apiKeys[0];
  return {
    signal,
    async call(path, { method = "GET", headers = {}, body, signal: own = signal } = {}) {
      let response: Response;
      try {
        response = await fetch(base + path, {
          method,
          headers: {
            ...headers,
            ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
            ...(body !== undefined && { "content-type": "application/json" }),
          },
          body: body === undefined ? null : JSON.stringify(body),
          signal: own,
        });
      } catch (cause) {
        own.throwIfAborted();
        throw new AssayError("config_invalid", {
          detail: `No service answers at ${base} (${reasonOf(cause)}): start it with assay serve, or name its address with --url`,
          cause,
        });
      }
      if (!response.ok) throw await problemOf(response, base);
      return response;
    },
  };
}

/** What fetch throws names its reason only in its cause. */
function reasonOf(thrown: unknown): string {
  const { cause, message } = thrown as Error;
  if (!(cause instanceof Error)) return message;
  return (cause as NodeJS.ErrnoException).code ?? cause.message;
}

/** The problem of an answer as an error. */
async function problemOf(response: Response, base: string): Promise<AssayError> {
  const text = await response.text();
  const isProblem = response.headers.get("content-type")?.startsWith("application/problem+json") === true;
  if (!isProblem)
    return new AssayError("config_invalid", {
      detail: `${base} answers ${response.status}, and not as Assay does: is it the address of the service?`,
    });
  return errorOf(JSON.parse(text) as ProblemBody);
}

/** The parts of a problem that a command reads. */
export interface ProblemBody {
  readonly code: string;
  readonly detail: string;
  readonly faults?: readonly Fault[];
}

/** The error that a problem tells. A code that this version does not know becomes `internal`, with the detail of the problem. */
export function errorOf({ code, detail, faults = [] }: ProblemBody): AssayError {
  const known = code in ERRORS ? (code as ErrorCode) : "internal";
  return faults.length > 0 ? new AssayError(known, { faults }) : new AssayError(known, { detail });
}

/** Time between two looks at a job. */
const LOOK_MS = 200;

export interface JobWork {
  readonly dataset: string;
  /** After the dataset's own path. */
  readonly path: string;
  readonly body: object;
  /** Media type of the result. */
  readonly accept: string;
  readonly progress: Progress;
}

interface JobBody {
  readonly id: string;
  readonly state: string;
  readonly progress: number;
  readonly problem: ProblemBody | null;
}

/**
 * Has the service do long work on a dataset as a job, shows its progress, and answers the response that has the result. Throws the
 * problem of the job. If the service's signal aborts, the job is cancelled.
 */
export async function doJob(
  service: Service,
  { dataset, path, body, accept, progress }: JobWork,
): Promise<Response> {
  const at = `/v1/datasets/${encodeURIComponent(dataset)}`;
  const { samples } = (await (await service.call(at)).json()) as { samples: number };
  progress.begin("", samples);
  const headers = { prefer: "respond-async" };
  const begun = await service.call(at + path, { method: "POST", headers, body });
  const { id } = (await begun.json()) as JobBody;
  const jobPath = `/v1/jobs/${id}`;
  try {
    for (;;) {
      const response = await service.call(jobPath, { headers: { accept } });
      if (response.headers.get("content-type")?.startsWith(accept) === true && accept !== JSON_TYPE)
        return response;
      const job = (await response.clone().json()) as JobBody;
      if (job.problem !== null) throw errorOf(job.problem);
      if (job.state === "done") return response;
      if (job.state === "cancelled")
        throw new AssayError("cancelled", {
          detail: `The service cancelled job ${id}: run the command again`,
        });
      progress.update(Math.floor(job.progress * samples));
      await delay(LOOK_MS, undefined, { signal: service.signal });
    }
  } catch (error) {
    // The job has ended already unless the user ended the command. The service may be gone too; the first error is the one to tell.
    if (service.signal.aborted)
      await service
        .call(jobPath, { method: "DELETE", signal: AbortSignal.timeout(1000) })
        .catch(() => undefined);
    throw service.signal.aborted ? service.signal.reason : error;
  }
}

export const JSON_TYPE = "application/json";
