/** One input of the model: a pair of query and document, or a single text (`second` is null). Both are well-formed Unicode. */
export interface Text {
  readonly first: string;
  readonly second: string | null;
}

/** Number format of the matrix products: `int8` needs the folder's int8 graph. */
export const PRECISIONS = ["fp32", "int8"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** What the model says of N texts, in the order they were given. */
export interface Outputs {
  /** (N, K) row-major. */
  readonly logits: Float32Array;
  /** (N) ‖h‖², h the input of the last layer. */
  readonly featureNormsSquared: Float32Array;
  /** (N) 1 where the text was longer than the model takes and was cut. */
  readonly truncated: Uint8Array;
  readonly timings: RunTimings;
}

/** Where a run spent its time, in milliseconds. */
export interface RunTimings {
  readonly tokeniseMs: number;
  /** From tokenised to the start of its first batch. */
  readonly queueMs: number;
  /** From the start of its first batch to the end of its last. */
  readonly inferMs: number;
}

/** What a caller may know of a model; nothing here is a path. */
export interface ModelDescription {
  readonly name: string;
  /** 16 hex digits of the digests of weights, tokenizer and forward graph. */
  readonly version: string;
  readonly task: "binary" | "regression" | "classification";
  /** K, the number of logits. */
  readonly classes: number;
  readonly classNames: readonly string[] | null;
  readonly tokensMax: number;
  readonly precisions: readonly Precision[];
  /** The precision of a request that names none. */
  readonly precision: Precision;
  /** Digest of everything that decides the outputs at a precision, hex: the scope of the outputs cache. */
  readonly contentDigests: Readonly<Partial<Record<Precision, string>>>;
  readonly provenance: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly licence: Readonly<Record<string, unknown>>;
}

/** Whether a model answers; `reason` says why it does not. */
export type RankerState =
  | { readonly status: "ready" }
  | { readonly status: "loading" | "failed"; readonly reason: string };

/** Runs one exported ranker. */
export interface Ranker {
  readonly model: ModelDescription;
  state(): RankerState;
  /**
   * Outputs are in the order of `texts`. Throws `model_not_ready`, `overloaded` when the queue is full, `engine_failed` when
   * the engine process dies under the run, `cancelled` when `signal` aborts.
   */
  run(texts: readonly Text[], precision: Precision, signal: AbortSignal): Promise<Outputs>;
  /** Finishes the runs under way, then ends the engine process. */
  close(): Promise<void>;
}

/** The models of the models folder, by name. */
export interface Rankers {
  readonly defaultName: string;
  /** Every model, also those whose engine has not been started. */
  describe(): readonly ModelDescription[];
  /** The ranker of that name, started if it was not; throws `model_not_found`. */
  get(name: string): Ranker;
  close(): Promise<void>;
}
