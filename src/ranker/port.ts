/** One input of the model: a pair of query and document, or a single text (`second` is null). Both are well-formed Unicode. */
export interface Text {
  readonly first: string;
  readonly second: string | null;
}

/** Number format of the matrix products: `int8` needs the folder's int8 graph. */
export const PRECISIONS = ["fp32", "int8"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** Graphs of a model folder that hold the backward pass; they run in fp32 only. */
export const GRADIENT_GRAPHS = ["norms", "tangent", "accumulate"] as const;
export type GradientGraph = (typeof GRADIENT_GRAPHS)[number];

/**
 * What outputs may have beside logits and ‖h‖², by the name that the graphs give it: for each row of K logits and H features,
 * `gram` (K, K) ⟨∇z_k, ∇z_l⟩ over all parameters, `tangent` (K) ⟨∇z_k, v⟩ along a direction v, `features` (H) h. This decides
 * where each comes from: `asked` from every graph, for whoever asks; the others from the graphs that are named, always.
 */
export const MATRICES = {
  gram: ["norms", "tangent"],
  tangent: ["tangent"],
  features: "asked",
} as const satisfies Record<string, "asked" | readonly GradientGraph[]>;
export type MatrixName = keyof typeof MATRICES;
export const MATRIX_NAMES = Object.keys(MATRICES) as readonly MatrixName[];
export type AskedMatrix = { [M in MatrixName]: (typeof MATRICES)[M] extends "asked" ? M : never }[MatrixName];
export const ASKED_MATRICES = MATRIX_NAMES.filter(
  (name) => MATRICES[name] === "asked",
) as readonly AskedMatrix[];

/** Graphs that answer each text, those that give less first. */
export const ANSWERING_GRAPHS = ["forward", "norms", "tangent"] as const;
export type AnsweringGraph = (typeof ANSWERING_GRAPHS)[number];

/** What a run computes of each text. */
export type Wanted = { readonly asked?: readonly AskedMatrix[] } & (
  | { readonly graph: "forward"; readonly precision: Precision }
  | { readonly graph: "norms" }
  | { readonly graph: "tangent"; readonly direction: DirectionVector }
);

/** A run of the graph that is asked for this gives the matrix. */
export function gives(
  { graph, asked = [] }: { readonly graph: AnsweringGraph; readonly asked?: readonly MatrixName[] },
  matrix: MatrixName,
): boolean {
  const from: "asked" | readonly string[] = MATRICES[matrix];
  return from === "asked" ? asked.includes(matrix) : from.includes(graph);
}

/** A vector in parameter space, bound to the weights that it was made at. */
export interface DirectionVector {
  /** Hex digest that names the vector: an engine that has it does not read it again. */
  readonly digest: string;
  /** float32 little-endian, the parameters in the manifest's order, each as PyTorch shapes it; chunks of any sizes. */
  read(): AsyncIterable<Uint8Array>;
}

/** What the model says of N texts, in the order they were given: (N, …) each; the run gives the matrices that `gives` names. */
export interface Outputs extends Readonly<Partial<Record<MatrixName, Float32Array>>> {
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
  /** Gradient graphs that the folder has. */
  readonly gradientGraphs: readonly GradientGraph[];
  /** Why it lacks some, where the exporter said so. */
  readonly gradientGraphsUnsupported: string | null;
  /**
   * Digest of everything that decides the outputs, hex: the scope of the outputs cache. Forward in fp32 and norms share
   * `fp32`; to `tangent` belongs the direction's digest.
   */
  readonly contentDigests: Readonly<Partial<Record<Precision | "tangent", string>>>;
  /** SHA-256 of weights.bin, hex: what a direction is bound to. */
  readonly weightsDigest: string;
  /** The trees of the signal `learned`; null where the folder has none. */
  readonly learned: LearnedDescription | null;
  readonly provenance: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly licence: Readonly<Record<string, unknown>>;
}

/** The name under which records remember a model: `name@version`. */
export function modelId({ name, version }: Pick<ModelDescription, "name" | "version">): string {
  return `${name}@${version}`;
}

/** Trees that `python -m assay.learned` trained towards a target of the user's. */
export interface LearnedDescription {
  /** Name of what they estimate. */
  readonly target: string;
  /** The loss under which their signals were computed. */
  readonly loss: string;
  /** Columns of what they read, in this order. */
  readonly inputs: {
    /** H, or 0 where they read no features. */
    readonly features: number;
    readonly signals: readonly string[];
    /** Named numbers of samples; `optional` where the trees know what to do without. */
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

/** Who waits for a run, and for how long. */
export interface Caller {
  /** Aborts when nobody waits any more. Its reason is thrown, or `cancelled`. */
  readonly signal: AbortSignal;
  /** On the clock of `performance.now()`; null where there is none. */
  readonly deadlineAtMs: number | null;
}

/** Runs one exported ranker. */
export interface Ranker {
  readonly model: ModelDescription;
  state(): RankerState;
  /** The first state that is not `loading`. */
  settled(): Promise<RankerState>;
  /**
   * Outputs are in the order of `texts`. Waits while the model loads, also again after its engine process died: what was
   * under way is run once more. Throws `model_not_ready` where the model cannot be loaded, `overloaded` when the queue is full
   * or too long for the deadline,
   * `text_refused` for a text that ended the engine process twice, `engine_failed` where the model fails on a text (the
   * path of the fault is the text's place in `texts`), `unsuitable_graph` where the folder lacks the graph, and when the
   * caller's signal aborts its reason, or `cancelled`.
   */
  run(texts: readonly Text[], wanted: Wanted, caller: Caller): Promise<Outputs>;
  /**
   * Begins sums of gradients inside an engine process. Throws `unsuitable_graph` where the folder has no accumulate graph,
   * `overloaded` while too many are open.
   */
  accumulate(): Promise<Accumulation>;
  /**
   * What the folder's trees say (N) of a matrix float32 (N, F) in the columns of `model.learned.inputs`, NaN where an optional
   * extra is missing. Throws `unsuitable_signal` where the folder has none, `model_not_ready`, `engine_failed`, and when the
   * signal aborts its reason, or `cancelled`.
   */
  learned(matrix: Float32Array, signal: AbortSignal): Promise<Float32Array>;
  /** Finishes the runs under way, then ends the engine process. */
  close(): Promise<void>;
}

/** A model as it stands now; `idle` means that its engine has not been started. */
export interface ServedModel {
  readonly model: ModelDescription;
  readonly state: RankerState | { readonly status: "idle" };
}

/** Float64 sums Σ_i Σ_k c_ik ∇z_ik over the parameters, kept inside one engine process; lost where it ends. */
export interface Accumulation {
  /**
   * Adds texts with their coefficients c (N, K). Rejects with `accumulation_lost` where the engine process died or the sums
   * were given up, and with what `Ranker.run` throws.
   */
  add(texts: readonly Text[], coefficients: Float32Array, caller: Caller): Promise<void>;
  /** Ends the sums: what `read` gives is a vector as a `DirectionVector` has it, the sums × `scale` in float32. */
  finish(scale: number): Promise<AccumulatedVector>;
  /** Lets go of the sums; also after `finish`, when the vector has been read. */
  release(): Promise<void>;
}

export interface AccumulatedVector {
  /** Of the float64 sums × scale. */
  readonly norm: number;
  readonly bytes: number;
  read(): AsyncIterable<Uint8Array>;
}

/** The models of the models folder, by name. A model's ranker is replaced when the model is reloaded. */
export interface Rankers {
  readonly defaultName: string;
  /** Every model, also those whose engine has not been started. */
  describe(): readonly ModelDescription[];
  /** Names of the model folders that have a fault, which the log tells, and cannot be served until a reload finds them repaired. */
  faulty(): readonly string[];
  /** One model, without starting it; throws `model_not_found`. */
  inspect(name: string): ServedModel;
  /** The present ranker of that name, started if it was not; throws `model_not_found`. What runs texts calls `use`. */
  get(name: string): Ranker;
  /**
   * Gives `work` the present ranker of that name, started if it was not. It stays open until `work` has settled, also when
   * the model is reloaded meanwhile. Throws `model_not_found`, and what `work` throws; `model_not_ready` where it failed
   * because somebody has replaced the model's files, which are loaded then.
   */
  use<T>(name: string, work: (ranker: Ranker) => Promise<T>): Promise<T>;
  /**
   * Reads the model's folder again, also one that is new, loads it beside the ranker that serves, and swaps the two once
   * the new one has passed its checks. Settles when the old one has finished its runs and its process has ended. Throws
   * `model_not_found`, `model_busy`, and `model_rejected` where the new one has a fault: the old one serves on.
   */
  reload(name: string): Promise<ModelDescription>;
  /**
   * The same with new weights for the folder, an upload of `docs/models.md`, read once and in constant memory. They are in
   * the folder for good when this settles. Throws `model_not_found`, `model_busy`, `model_read_only`, `weights_invalid`,
   * `body_too_large`; the old weights serve on.
   */
  replaceWeights(name: string, upload: AsyncIterable<Uint8Array>): Promise<ModelDescription>;
  close(): Promise<void>;
}
