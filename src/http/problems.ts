import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AssayError, ERRORS, type ErrorCode, type Fault, pathOf, predicateOf } from "../errors.js";
import { withoutPlaces } from "./places.js";
import { unsupportedType } from "./plugins/media-types.js";

/** The HTTP status of each error of the catalogue. No other place knows them. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_json: 400,
  invalid_request: 400,
  invalid_sample: 422,
  unsuitable_loss: 422,
  unsuitable_label: 422,
  unsuitable_precision: 422,
  unsuitable_graph: 422,
  unsuitable_signal: 422,
  unsuitable_weighting: 422,
  weights_hopeless: 422,
  unsuitable_selection: 422,
  missing_label: 422,
  missing_reference: 422,
  missing_direction: 422,
  duplicate_id: 422,
  body_too_large: 413,
  body_timeout: 408,
  unsupported_media_type: 415,
  model_not_found: 404,
  model_not_ready: 503,
  model_invalid: 503,
  model_busy: 409,
  model_rejected: 409,
  memory_insufficient: 503,
  model_read_only: 409,
  weights_invalid: 422,
  dataset_not_found: 404,
  sample_not_found: 404,
  snapshot_not_found: 404,
  dataset_not_empty: 409,
  idempotency_conflict: 409,
  direction_scaled: 409,
  checkpoint_conflict: 409,
  shapes_full: 409,
  checkpoints_full: 409,
  job_not_found: 404,
  direction_not_found: 404,
  direction_stale: 409,
  direction_undefined: 422,
  scale_invalid: 422,
  directions_full: 409,
  route_not_found: 404,
  method_not_allowed: 405,
  unauthorised: 401,
  foreign_request: 403,
  overloaded: 429,
  cancelled: 499,
  device_unavailable: 503,
  deadline_exceeded: 504,
  text_refused: 422,
  accumulation_lost: 503,
  engine_failed: 503,
  store_unavailable: 503,
  store_full: 503,
  store_corrupt: 500,
  store_outdated: 503,
  store_newer: 503,
  shutting_down: 503,
  config_invalid: 500,
  input_invalid: 400,
  output_invalid: 400,
  internal: 500,
};

/** Seconds after which a refused client may try again, if the error itself does not say. */
const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = {
  overloaded: 1,
  accumulation_lost: 2,
  engine_failed: 2,
  store_unavailable: 2,
  store_full: 10,
  shutting_down: 5,
};

/** Errors that clients and operators cause. A stack trace would add nothing to their message. */
const EXPECTED: ReadonlySet<ErrorCode> = new Set([
  "deadline_exceeded",
  "memory_insufficient",
  "model_not_ready",
  "shutting_down",
]);

/** Fastify's own errors that have a code in the catalogue. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: "body_too_large",
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: "invalid_request",
};

/** Answers every error as an RFC 9457 problem with a stable `code` and the path of each fault. */
export function handleErrors(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => sendProblem(error, request, reply));
}

/** Answers one error. It is also called for errors that occur before a route is found. */
export function sendProblem(
  thrown: FastifyError | AssayError,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { error, problem } = describeProblem(thrown, request);
  const { retryAfterMs } = error;
  const retryAfter =
    retryAfterMs === undefined
      ? RETRY_AFTER_SECONDS[error.code]
      : Math.max(1, Math.ceil(retryAfterMs / 1000));
  if (retryAfter !== undefined) reply.header("retry-after", retryAfter);
  if (error.code === "unauthorised") reply.header("www-authenticate", "Bearer");
  return reply.code(problem.status).type("application/problem+json").send(problem);
}

/** The problem that answers an error, and the error with a code of the catalogue. Logs what an operator should know. */
export function describeProblem(
  thrown: FastifyError | AssayError,
  request: FastifyRequest,
): { error: AssayError; problem: Problem } {
  const error = asAssayError(thrown, request);
  const status = STATUS[error.code];
  if (EXPECTED.has(error.code))
    request.log.info({ code: error.code, reason: error.message }, "request not done");
  else if (status >= 500) request.log.error({ err: error }, "request failed");
  return { error, problem: describeError(error, `Request ${request.id}`) };
}

/**
 * The problem that tells an error of the catalogue.
 *
 * @param what failed, for an error whose reason only the log tells
 */
export function describeError(error: AssayError, what: string): Problem {
  return problemOf(error.code, STATUS[error.code], detailOf(error, what), error.faults);
}

/** The detail that a client may read. Internal reasons, paths and addresses belong in the log alone. */
function detailOf({ code, message }: AssayError, what: string): string {
  if (code === "internal") return `${what} failed: the service's log has the reason`;
  return STATUS[code] >= 500 || OF_MODELS.has(code) ? withoutPlaces(message) : message;
}

/** Faults of a model folder whose messages may contain paths, although the status is below 500. */
const OF_MODELS: ReadonlySet<ErrorCode> = new Set(["model_rejected", "model_read_only", "weights_invalid"]);

/** The body of RFC 9457. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly faults?: { path: string; message: string }[];
}

/** At most this many faults are listed. The detail says how many there are. */
const FAULTS_MAX = 20;

export function problemOf(
  code: ErrorCode,
  status: number,
  detail: string,
  faults: readonly Fault[] = [],
): Problem {
  return {
    type: `urn:assay:problem:${code}`,
    title: ERRORS[code],
    status,
    code,
    detail,
    ...(faults.length > 0 && { faults: faults.slice(0, FAULTS_MAX).map(rendered) }),
  };
}

function rendered(fault: Fault): { path: string; message: string } {
  return { path: pathOf(fault), message: predicateOf(fault) };
}

function asAssayError(error: FastifyError | AssayError, request: FastifyRequest): AssayError {
  if (error instanceof AssayError) return error;
  // The content type is not a media type at all, so Fastify asks no parser of ours.
  if (error.code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return unsupportedType(request);
  const code = FASTIFY_CODES[error.code];
  if (code !== undefined) return new AssayError(code, { detail: error.message, cause: error });
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return new AssayError("invalid_request", { detail: error.message, cause: error });
  }
  return new AssayError("internal", { detail: error.message, cause: error });
}
