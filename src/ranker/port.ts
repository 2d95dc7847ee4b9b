/** One input of the model: a pair of query and document, or a single text (`second` is null). Both are well-formed Unicode. */
export interface Text {
  readonly first: string;
  readonly second: string | null;
}

/** Number format of the matrix products. `int8` needs the folder's int8 graph. */
export const PRECISIONS = ["fp32", "int8"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Graphs of a model folder that contain the backward pass. They run only in fp32. */
export const GRADIENT_GRAPHS = ["norms", "tangent", "accumulate", "attribution"] as const;
export type GradientGraph = (typeof GRADIENT_GRAPHS)[number];

/**
 * The matrices that outputs may have in addition to logits and ‖h‖², by their names in the graphs. For each row of K logits and H
 * features: `gram` (K, K) ⟨∇z_k, ∇z_l⟩ over the parameters of the gradient scope, `tangent` (K) ⟨∇z_k, v⟩ along a direction v,
 * `features` (H) h, `embedding` (D) the mean over the text's tokens of what `ModelDescription.embedding` names. The value says
 * which graphs give a matrix: `asked` means every graph, but only if the request asks for the matrix; a list names the graphs that
 * always give it.
 */
export const MATRICES = {
  gram: ["norms", "tangent"],
  tangent: ["tangent"],
  features: "asked",
  embedding: "asked",
} as const satisfies Record<string, "asked" | readonly GradientGraph[]>;
export type MatrixName = keyof typeof MATRICES;
export const MATRIX_NAMES = Object.keys(MATRICES) as readonly MatrixName[];
export type AskedMatrix = { [M in MatrixName]: (typeof MATRICES)[M] extends "asked" ? M : never }[MatrixName];
export const ASKED_MATRICES = MATRIX_NAMES.filter(
  (name) => MATRICES[name] === "asked",
) as readonly AskedMatrix[];

/** Graphs that answer each text. Those that give fewer matrices come first. */
export const ANSWERING_GRAPHS = ["forward", "norms", "tangent"] as const;
export type AnsweringGraph = (typeof ANSWERING_GRAPHS)[number];

/** What a run computes for each text, with the matrices that may be asked of it. */
export type Wanted<Asked extends AskedMatrix = AskedMatrix> = { readonly asked?: readonly Asked[] } & (
  | { readonly graph: "forward"; readonly precision: Precision }
  | { readonly graph: "norms" }
  | { readonly graph: "tangent"; readonly direction: DirectionVector }
);

/** Whether a run of this graph that asks for these matrices gives the matrix. */
export function gives(
  { graph, asked = [] }: { readonly graph: AnsweringGraph; readonly asked?: readonly MatrixName[] },
  matrix: MatrixName,
): boolean {
  const from: "asked" | readonly string[] = MATRICES[matrix];
  return from === "asked" ? asked.includes(matrix) : from.includes(graph);
}

/** A vector in parameter space. It is valid only for the weights with which it was made. */
export interface DirectionVector {
  /** Hex digest that identifies the vector. An engine that has a vector of this digest does not read it again. */
  readonly digest: string;
  /**
   * float32 little-endian: the parameters of the gradient scope in the manifest's order, each in PyTorch's shape. Chunks may have
   * any size.
   */
  read(): AsyncIterable<Uint8Array>;
}

/** What the model answers for N texts, in their order. Each array is (N, …). `gives` says which matrices are there. */
export interface Outputs extends Readonly<Partial<Record<MatrixName, Float32Array>>> {
  /** (N, K) row-major. */
  readonly logits: Float32Array;
  /** (N) ‖h‖², h the input of the last layer. */
  readonly featureNormsSquared: Float32Array;
  /** (N) 1 if the text was longer than the model's limit and was cut. */
  readonly truncated: Uint8Array;
  readonly timings: RunTimings;
}

/** One token of a text as the model reads it. */
export type Token = PlacedToken | SpecialToken;

/** A token at code points `start` to before `end` of one part of the text. */
export interface PlacedToken {
  readonly id: number;
  readonly part: "first" | "second";
  readonly start: number;
  readonly end: number;
}

interface SpecialToken {
  readonly id: number;
  readonly part: null;
}

/** What the attribution graph answers for one text at P points between a baseline and the text. */
export interface AttributedPoints {
  /** (P, K) row-major. */
  readonly logits: Float32Array;
  /** (P, K, T) Σ_d (e − e0)·∂z/∂e: how much each token moves each logit, at each point. 0 for special tokens. */
  readonly attributions: Float32Array;
}

/** How a run spent its time, in milliseconds. */
export interface RunTimings {
  readonly tokeniseMs: number;
  /** From the end of tokenising to the start of the first batch. */
  readonly queueMs: number;
  /** From the start of the first batch to the end of the last. */
  readonly inferMs: number;
}

/** The description of a model for callers. It contains no paths. */
export interface ModelDescription {
  readonly name: string;
  /** 16 hex digits that name the weights, the tokeniser, the function of the forward graph, and a gradient scope other than `all`. */
  readonly version: string;
  readonly task: "binary" | "regression" | "classification";
  /** K, the number of logits. */
  readonly classes: number;
  readonly classNames: readonly string[] | null;
  readonly tokensMax: number;
  readonly precisions: readonly Precision[];
  /** The precision of a request that names no precision. */
  readonly precision: Precision;
  /** Gradient graphs that the folder has. */
  readonly gradientGraphs: readonly GradientGraph[];
  /** Why the folder lacks gradient graphs, if the exporter gave a reason. */
  readonly gradientGraphsUnsupported: string | null;
  /** What the output `embedding` is; null if the folder's graphs do not have it. */
  readonly embedding: EmbeddingDescription | null;
  /**
   * The name of the gradient scope, the parameters that these graphs are of: `all`, `head`, `last:N` or patterns. Null if there
   * are none. The directions of one scope have no meaning in another.
   */
  readonly gradientScope: string | null;
  /**
   * Hex digests of everything that decides the outputs: the scopes of the outputs cache. Forward in fp32 and norms share the
   * scope `fp32`. The cache adds the direction's digest to the scope `tangent`.
   */
  readonly contentDigests: Readonly<Partial<Record<Precision | "tangent", string>>>;
  /** SHA-256 of weights.bin, hex. A direction is valid only for weights with this digest. */
  readonly weightsDigest: string;
  /** The trees of the signal `learned`; null if the folder has no trees. */
  readonly learned: LearnedDescription | null;
  readonly provenance: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly licence: Readonly<Record<string, unknown>>;
}

/** An embedding: the mean, over the tokens of a text, of the model's hidden states at one place. */
export interface EmbeddingDescription {
  /** D, the number of its values. */
  readonly size: number;
  /** The place. `embeddings`: what the first encoder layer reads. */
  readonly after: string;
}

/** The name of a model in records: `name@version`. */
export function modelId({ name, version }: Pick<ModelDescription, "name" | "version">): string {
  return `${name}@${version}`;
}

/** Trees that `python -m assay.learned` has trained to estimate a target that the user chose. */
export interface LearnedDescription {
  /** Name of what they estimate. */
  readonly target: string;
  /** The loss under which their signals were computed. */
  readonly loss: string;
  /** Columns of the matrix that they read, in this order. */
  readonly inputs: {
    /** H, or 0 if they read no features. */
    readonly features: number;
    readonly signals: readonly string[];
    /** Names of the extra numbers of a sample; `optional` if the trees can do without the number. */
    readonly extras: readonly { readonly name: string; readonly optional: boolean }[];
  };
  /** Version of the model that they were trained on. */
  readonly modelVersion: string;
  readonly heldOut: Readonly<Record<string, unknown>>;
  readonly provenance: Readonly<Record<string, unknown>>;
}

/** Whether a model answers; `reason` says why it does not. */
export type RankerState =
  | { readonly status: "ready" }
  | { readonly status: "loading" | "failed"; readonly reason: string };

/** The caller that waits for a run, and how long it waits. */
export interface Caller {
  /** Aborts when nobody waits any more. The run then throws its reason, or `cancelled`. */
  readonly signal: AbortSignal;
  /** On the clock of `performance.now()`; null if there is no deadline. */
  readonly deadlineAtMs: number | null;
}

/** Runs one exported ranker. */
export interface Ranker {
  readonly model: ModelDescription;
  state(): RankerState;
  /** The first state that is not `loading`. */
  settled(): Promise<RankerState>;
  /** Bytes of memory that its engine processes take; null if none is ready, or the system does not tell. */
  memoryBytes(): Promise<number | null>;
  /**
   * Outputs are in the order of `texts`. Waits while the model loads. If the engine process dies, waits for the next process,
   * which runs the unfinished texts again. Throws:
   * - `model_not_ready` if the model cannot be loaded,
   * - `memory_insufficient` if the graph is not open yet and would not fit into memory,
   * - `overloaded` if the queue is full or too long for the deadline,
   * - `text_refused` for a text that has crashed the engine process twice,
   * - `engine_failed` if the model fails on a text (the fault's sample is the text's index in `texts`),
   * - `unsuitable_graph` if the folder lacks the graph, or its graphs lack a matrix that is asked for,
   * - if the caller's signal aborts, its reason or `cancelled`.
   */
  run(texts: readonly Text[], wanted: Wanted, caller: Caller): Promise<Outputs>;
  /**
   * (T) The tokens of a text, cut as the model reads it. `start` and `end` count code points of the text's part. Throws
   * `model_invalid` if the folder's tokenizer is not the one that was loaded.
   */
  tokens(text: Text): Promise<readonly Token[]>;
  /**
   * Runs the attribution graph for one text of T tokens at e0 + α(e − e0), for each α of `alphas` (P). The baseline e0 has padding
   * in place of every token but the special ones. Throws as `run` does; a fault's sample is the point's index in `alphas`.
   */
  attribute(
    text: Text,
    tokens: readonly Token[],
    alphas: readonly number[],
    caller: Caller,
  ): Promise<AttributedPoints>;
  /**
   * Begins sums of gradients inside an engine process. Throws `unsuitable_graph` if the folder has no accumulate graph, and
   * `overloaded` if too many sums are open.
   */
  accumulate(): Promise<Accumulation>;
  /**
   * The answers (N) of the folder's trees to a matrix float32 (N, F). Its columns are those of `model.learned.inputs`; a missing
   * optional extra is NaN. Throws `unsuitable_signal` if the folder has no trees, `model_not_ready`, `engine_failed`, and, if the
   * signal aborts, its reason or `cancelled`.
   */
  learned(matrix: Float32Array, signal: AbortSignal): Promise<Float32Array>;
  /** Waits until all runs have finished, then ends the engine process. */
  close(): Promise<void>;
}

/** Estimates of the memory of a model's engine processes on the CPU, in bytes. */
export interface ModelMemory {
  /** To load the model and run the forward graph. */
  readonly forwardBytes: number;
  /** With all graphs of the folder, one direction, and the sums of one. */
  readonly allGraphsBytes: number;
}

/** A model and its present state; `idle` means that its engine has not been started. */
export interface ServedModel {
  readonly model: ModelDescription;
  readonly memory: ModelMemory;
  readonly state: RankerState | { readonly status: "idle" };
}

/** Float64 sums Σ_i Σ_k c_ik ∇z_ik over the parameters of the gradient scope. They are kept inside one engine process and lost when it ends. */
export interface Accumulation {
  /**
   * Adds texts with their coefficients c (N, K). Rejects with `accumulation_lost` if the engine process died or the sums were
   * dropped, and with everything that `Ranker.run` throws.
   */
  add(texts: readonly Text[], coefficients: Float32Array, caller: Caller): Promise<void>;
  /** Ends the sums. The vector is the sums × `scale` in float32, in the format of `DirectionVector.read`. */
  finish(scale: number): Promise<AccumulatedVector>;
  /** Releases the sums. Call it after `finish` too, when the vector has been read. */
  release(): Promise<void>;
}

export interface AccumulatedVector {
  /** Norm of the float64 sums × scale. */
  readonly norm: number;
  readonly bytes: number;
  read(): AsyncIterable<Uint8Array>;
}

/** The models of the models folder, by name. A reload replaces a model's ranker. */
export interface Rankers {
  /** The model of a request that names none; null if such requests are refused. */
  readonly defaultName: string | null;
  /** Every model, also those whose engine has not been started. */
  describe(): readonly ModelDescription[];
  /** Names of the model folders that cannot be served. The log has their faults. A reload serves a folder that was repaired. */
  faulty(): readonly string[];
  /** One model, without starting it; throws `model_not_found`. */
  inspect(name: string): ServedModel;
  /** The manifest of the model's folder, as JSON holds it (models/README.md); throws `model_not_found`. */
  manifest(name: string): object;
  /** `Ranker.memoryBytes` of one model, without starting it; null if it is idle. Throws `model_not_found`. */
  memoryBytes(name: string): Promise<number | null>;
  /**
   * The present ranker of that name; starts it if needed. Throws `model_not_found`, and `memory_insufficient` if it is not started
   * and would not fit into memory. To run texts, call `use` instead.
   */
  get(name: string): Ranker;
  /**
   * Gives `work` the present ranker of that name; starts it if needed. The ranker stays open until `work` has settled, even if
   * the model is reloaded in the meantime. Throws as `get` does, and what `work` throws. If `work` failed because another
   * process has replaced the model's files, throws `model_not_ready` and loads the new files.
   */
  use<T>(name: string, work: (ranker: Ranker) => Promise<T>): Promise<T>;
  /**
   * Reads the model's folder again, or a new folder for the first time. Loads it while the old ranker still serves, and swaps the
   * two once the new one has passed its checks. Settles when the old one has finished its runs and its process has ended. Throws
   * `model_not_found`, `model_busy`, and `model_rejected` if the new one has a fault. The old one then continues to serve.
   */
  reload(name: string): Promise<ModelDescription>;
  /**
   * The same with new weights for the folder. docs/models.md describes the upload, which is read once and in constant memory.
   * When this resolves, the folder holds the new weights durably. Throws `model_not_found`, `model_busy`, `model_read_only`,
   * `weights_invalid`, `body_too_large`. The old weights then continue to serve.
   */
  replaceWeights(name: string, upload: AsyncIterable<Uint8Array>): Promise<ModelDescription>;
  close(): Promise<void>;
}
