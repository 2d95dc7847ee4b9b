import type { Priority } from "../batch-planner.js";
import type { Work } from "../graphs.js";
import type { ModelFolder } from "../model-folder.js";
import type { MatrixName, Outputs, Precision, Text } from "../port.js";

/** The device on which an engine process runs its sessions. */
export type Device = { readonly kind: "cpu" } | { readonly kind: "cuda"; readonly index: number };

/** The setup of an engine process. */
export interface EngineSetup {
  /** The folder as the service has read it. Files that no longer match its digests are refused. */
  readonly folder: ModelFolder;
  /** Precision of the session that is opened and tested at the start. Other sessions are opened on demand. */
  readonly precision: Precision;
  readonly device: Device;
  /** Uses the CPU, and says why, if the device is not available. */
  readonly fallback: boolean;
  /** Sessions that run at the same time, each on its own thread. */
  readonly sessions: number;
  /** Threads inside one operator of one session. */
  readonly threads: number;
}

/** A message from the service to an engine process. */
export type ToEngine =
  | ({ readonly type: "load" } & EngineSetup)
  | ({ readonly type: "run" } & RunPart)
  | { readonly type: "cancel"; readonly run: number }
  /** A chunk of a direction's vector. The chunks come in order. The complete vector is kept until `forget_direction`. */
  | ({ readonly type: "direction" } & DirectionChunk)
  | { readonly type: "forget_direction"; readonly digest: string }
  /** Makes sums of zero over the parameters of the gradient scope, to which `accumulate` adds. */
  | { readonly type: "sums_open"; readonly name: string }
  /** Asks for ‖sums‖. */
  | { readonly type: "sums_norm"; readonly name: string; readonly ask: number }
  /** Asks for entries from `at` on, times `scale`, in float32. */
  | {
      readonly type: "sums_read";
      readonly name: string;
      readonly ask: number;
      readonly at: number;
      readonly length: number;
      readonly scale: number;
    }
  | { readonly type: "sums_forget"; readonly name: string }
  | TreesJob
  | { readonly type: "ping" };

/** Texts of one run for the engine: all of them, or those that are left after a crash. */
export interface RunPart {
  readonly run: number;
  /** (N) */
  readonly texts: readonly Text[];
  /** (N) For each text its row in the run. */
  readonly rows: readonly number[];
  readonly work: Work;
  /** (N, K) coefficients of accumulate, (N, 1) α of attribution; null for the other graphs. */
  readonly coefficients: Float32Array | null;
  readonly priority: Priority;
  /** Each text runs in a batch of its own. */
  readonly alone: boolean;
}

/** A matrix float32 (N, F) for the folder's trees. */
export interface TreesJob {
  readonly type: "trees";
  readonly job: number;
  readonly matrix: Float32Array;
}

/** The trees' answers (N) to a job's matrix, or why they failed. */
export type TreesAnswer =
  | { readonly type: "trees_done"; readonly job: number; readonly values: Float32Array }
  | { readonly type: "trees_failed"; readonly job: number; readonly reason: string };

/** Rows of one run in a batch. */
export interface BatchPart {
  readonly run: number;
  readonly rows: readonly number[];
}

/** Consecutive bytes of a vector over the parameters of the gradient scope (float32 little-endian). */
export interface DirectionChunk {
  readonly digest: string;
  /** Offset of the chunk in bytes. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** A session's answers for N rows, by the names of `Outputs`: each (N, …) row-major, absent if the work does not give it. */
export type Matrices = Readonly<
  Partial<Record<"logits" | "featureNormsSquared" | "attribution" | MatrixName, Float32Array>>
>;

/** A run's outputs. `attribution` gives (N, K, max_tokens) `attribution`, 0 behind the end of a text. */
export interface EngineOutputs extends Outputs {
  readonly attribution?: Float32Array;
}

/** Outputs of rows of one run. */
export interface BatchPartOutputs extends BatchPart {
  readonly outputs: Matrices;
}

/** A message from an engine process to the service. */
export type FromEngine =
  /** If the CPU replaces the requested device, `missing` says why that device is not available. */
  | { readonly type: "ready"; readonly device: Device; readonly missing: string | null }
  /** A temporary directory of the process. The service removes it if the process cannot. */
  | { readonly type: "scratch"; readonly directory: string }
  /** Why each session that is opened now multiplies the weights out for itself. */
  | { readonly type: "unshared"; readonly reason: string }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "pong" }
  | { readonly type: "answer"; readonly ask: number; readonly value: number | Float32Array }
  /** (N) token counts, and whether the text was cut, for rows of a run in the order of `rows`. */
  | ({ readonly type: "tokenised"; readonly tokens: Int32Array; readonly truncated: Uint8Array } & BatchPart)
  | { readonly type: "refused"; readonly run: number; readonly reason: string }
  | { readonly type: "started"; readonly batch: number; readonly parts: readonly BatchPart[] }
  | {
      readonly type: "finished";
      readonly batch: number;
      readonly parts: readonly BatchPartOutputs[];
      readonly facts: BatchFacts;
    }
  | TreesAnswer
  /** `graph`: the graph cannot run, with any rows. */
  | {
      readonly type: "batch_failed";
      readonly batch: number;
      readonly reason: string;
      readonly of: "rows" | "graph";
    };

/** One batch that a session ran, for the metrics. */
export interface BatchFacts {
  readonly rows: number;
  /** Tokens without padding, special tokens included. */
  readonly tokens: number;
  /** Rows × columns of the padded batch. */
  readonly paddedTokens: number;
  /** Its cost in tokens of the forward graph. */
  readonly cost: number;
  /** Part of the engine's cores that the batch had, in (0, 1]. */
  readonly coresShare: number;
  readonly inferMs: number;
}
