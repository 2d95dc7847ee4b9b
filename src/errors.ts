/** What an error says in addition to its code: named facts and, for bad input, the path of each fault. */
export interface ErrorDetails {
  /** A sentence for the person who reads the answer. If absent, the first fault makes one; without faults, the title does. */
  readonly detail?: string | undefined;
  /** Each fault with the place of the value that caused it. */
  readonly faults?: readonly Fault[];
  readonly cause?: unknown;
  /** Time after which the same request may succeed, if it is known. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * One fault of a request. A sample's fault keeps sample and field apart, because each layer numbers other samples:
 * a run numbers those that the store lacks, a request numbers those of its body. `relocated` converts an error between layers.
 */
export interface Fault {
  /** Absent if the fault does not belong to a sample. */
  readonly sample?: SamplePlace;
  /**
   * A JSON pointer (RFC 6901: list entries count from 0, "" is the whole) into the sample, or into the body if no sample is
   * named; or the name of a parameter.
   */
  readonly path: string;
  /** The predicate of a sentence whose subject is the place of the fault. */
  readonly message: string;
  /** Another sample that has the same fault. The sentence ends with its place. */
  readonly sharedWith?: SamplePlace;
}

/** The index of a sample in the call, from 0; or words for its place in the input, such as `line 17`. */
export type SamplePlace = number | string;

/**
 * Every error that Assay throws on purpose: a stable code and its title. Nothing here knows HTTP;
 * `http/problems.ts` maps each code to a status.
 */
export const ERRORS = {
  invalid_json: "The body is not valid JSON",
  invalid_request: "The request does not fit the schema",
  invalid_sample: "A sample has a fault",
  unsuitable_loss: "A loss does not suit the model",
  unsuitable_label: "A label does not suit the loss",
  unsuitable_precision: "The model has no graph of this precision",
  unsuitable_graph: "The model lacks a graph that this needs",
  unsuitable_signal: "A signal does not suit the model, the loss or the samples",
  unsuitable_weighting: "The weighting does not suit the signals",
  weights_hopeless: "The weights are too unequal for an estimate",
  unsuitable_selection: "The selection does not suit the samples",
  missing_label: "A signal needs a label that a sample lacks",
  missing_reference: "A signal needs a reference loss that a sample lacks",
  missing_direction: "A signal needs a direction that the request does not name",
  duplicate_id: "Two samples of the batch have one id",
  body_too_large: "The body is larger than the limit",
  body_timeout: "The body did not arrive in time",
  unsupported_media_type: "This route does not take this content type",
  model_not_found: "No model has this name",
  model_not_ready: "The model is not loaded",
  model_invalid: "The model folder cannot be served",
  model_busy: "The model is being reloaded",
  model_rejected: "The new model has a fault; the old one is still served",
  memory_insufficient: "There is too little memory for the model",
  model_read_only: "The model folder cannot be written to",
  weights_invalid: "The new weights have a fault; the old ones are still served",
  dataset_not_found: "No dataset has this name",
  dataset_not_empty: "The setting can only be changed while the dataset has no samples",
  sample_not_found: "The dataset has no sample with this id",
  snapshot_not_found: "The dataset keeps no snapshot of this version",
  idempotency_conflict: "The key was given to another request",
  checkpoint_conflict: "The dataset knows the checkpoint with another step",
  shapes_full: "The dataset has the most sources, models and names of signals that it may have",
  checkpoints_full: "The dataset has the most checkpoints that it may have",
  job_not_found: "No job has this id",
  direction_not_found: "No direction has this name",
  direction_stale: "The direction was made with other weights or another gradient scope",
  direction_undefined: "The samples have no gradient, so they give no direction",
  direction_scaled: "The direction was scaled by another vector",
  scale_invalid: "The scale of a direction has a fault",
  directions_full: "The limit of kept directions is reached",
  route_not_found: "No route has this method and path",
  method_not_allowed: "The path does not take this method",
  unauthorised: "A bearer key is required",
  foreign_request: "Without API keys, only requests from this machine are answered",
  overloaded: "The queue is full",
  cancelled: "The request was cancelled",
  device_unavailable: "The device is not available",
  deadline_exceeded: "The request ran out of time",
  text_refused: "A text crashes the engine process",
  accumulation_lost: "The sums of gradients were lost",
  engine_failed: "The engine process failed",
  store_unavailable: "The store does not answer",
  store_full: "The store has no room left",
  store_corrupt: "The store holds a record that this version cannot read",
  store_outdated: "The store has the format of an earlier version and has to be upgraded",
  store_newer: "A later version wrote the store",
  shutting_down: "The service is shutting down",
  config_invalid: "The configuration is not valid",
  input_invalid: "The input file cannot be read",
  output_invalid: "The output file cannot be written",
  internal: "An unexpected error",
} as const;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERRORS;

/** An error of the catalogue. `message` is its detail, or else a sentence from its faults, or else the title. */
export class AssayError extends Error {
  readonly code: ErrorCode;
  /** Undefined if `message` comes from the faults or the title. */
  readonly detail: string | undefined;
  readonly faults: readonly Fault[];
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, { detail, faults = [], cause, retryAfterMs }: ErrorDetails = {}) {
    super(detail ?? sentenceOf(faults) ?? ERRORS[code], cause === undefined ? undefined : { cause });
    this.name = "AssayError";
    this.code = code;
    this.detail = detail;
    this.faults = faults;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whether the error means that the store does not answer or has no room. The same request may succeed later. */
export function isStoreFailure(error: unknown): error is AssayError {
  return error instanceof AssayError && (error.code === "store_unavailable" || error.code === "store_full");
}

/** An error with at least one fault. Its message states the first fault and the number of the others. */
export function faultsError(code: ErrorCode, faults: readonly Fault[]): AssayError {
  return new AssayError(code, { faults });
}

/** The first fault as a sentence, with the number of the others; undefined if there is no fault. */
export function sentenceOf(
  [first, ...others]: readonly Fault[],
  subjectOf: (fault: Fault) => string = (fault) => pathOf(fault) || "The body",
): string | undefined {
  if (first === undefined) return undefined;
  const more = others.length > 0 ? ` (and ${others.length} more)` : "";
  return `${subjectOf(first)} ${predicateOf(first)}${more}`;
}

/** The place of a fault as an answer gives it: `/samples/3/label`, `line 17/label`, `/weighting/alpha`. */
export function pathOf({ sample, path }: Fault): string {
  return sample === undefined ? path : inBody(sample) + path;
}

/** The rest of the sentence after the place of the fault: what is wrong. */
export function predicateOf({ message, sharedWith }: Fault): string {
  return sharedWith === undefined ? message : `${message} ${inBody(sharedWith)} too`;
}

function inBody(sample: SamplePlace): string {
  return typeof sample === "number" ? `/samples/${sample}` : sample;
}

/** What was thrown, with its sample indices converted to the caller's. What is not an error of the catalogue stays as it is. */
export function relocated(thrown: unknown, placeOf: (sample: number) => SamplePlace): unknown {
  if (!(thrown instanceof AssayError) || thrown.faults.length === 0) return thrown;
  const moved = (sample: SamplePlace): SamplePlace => (typeof sample === "number" ? placeOf(sample) : sample);
  const faults = thrown.faults.map(
    ({ sample, path, message, sharedWith }): Fault => ({
      path,
      message,
      ...(sample !== undefined && { sample: moved(sample) }),
      ...(sharedWith !== undefined && { sharedWith: moved(sharedWith) }),
    }),
  );
  const { code, detail, retryAfterMs } = thrown;
  return new AssayError(code, { detail, faults, cause: thrown, retryAfterMs });
}

/** An error with one fault, which concerns the body as a whole. */
export function bodyFault(code: ErrorCode, message: string): AssayError {
  return faultsError(code, [{ path: "", message }]);
}

/** Throws an error of the code with the faults; does nothing if there is no fault. */
export function throwFaults(code: ErrorCode, faults: readonly Fault[]): void {
  if (faults.length > 0) throw faultsError(code, faults);
}

/** What was thrown as an error of the catalogue. Anything else becomes the cause of an `internal` error. */
export function asAssayError(error: unknown): AssayError {
  return error instanceof AssayError ? error : new AssayError("internal", { cause: error });
}

/** The message of what was thrown, whatever it is. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
