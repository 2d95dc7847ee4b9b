import type { Priority } from "../batch-planner.js";
import type { Work } from "../graphs.js";
import type { ModelFolder } from "../model-folder.js";
import type { MatrixName, Precision, Text } from "../port.js";

/** Where an engine process runs its sessions. */
export type Device = { readonly kind: "cpu" } | { readonly kind: "cuda"; readonly index: number };

/** How an engine process is set up. */
export interface EngineSetup {
  /** As the service has read it: files that no longer match its digests are not taken up. */
  readonly folder: ModelFolder;
  /** Precision of the session that is opened and tested at the start; others open when they are first asked for. */
  readonly precision: Precision;
  readonly device: Device;
  /** Uses the CPU, and says why, where the device cannot be had. */
  readonly fallback: boolean;
  /** Sessions that run side by side, each on a thread of its own. */
  readonly sessions: number;
  /** Threads inside one operator of one session. */
  readonly threads: number;
}

/** What the service tells an engine process. */
export type ToEngine =
  | ({ readonly type: "load" } & EngineSetup)
  | ({ readonly type: "run" } & RunPart)
  | { readonly type: "cancel"; readonly run: number }
  /** A piece of a direction's vector, in order from byte 0 on; whole, it is kept until it is forgotten. */
  | ({ readonly type: "direction" } & DirectionChunk)
  | { readonly type: "forget_direction"; readonly digest: string }
  /** Zeros over all parameters, for `accumulate` to add to. */
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

/** Texts of one run that wait for the model: all of them, or after a crash those that are left. */
export interface RunPart {
  readonly run: number;
  /** (N) */
  readonly texts: readonly Text[];
  /** (N) Which row of the run each text is. */
  readonly rows: readonly number[];
  readonly work: Work;
  /** (N, K) of accumulate, null for the other graphs. */
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

/** What the trees say (N) of a job's matrix, or why they cannot. */
export type TreesAnswer =
  | { readonly type: "trees_done"; readonly job: number; readonly values: Float32Array }
  | { readonly type: "trees_failed"; readonly job: number; readonly reason: string };

/** Rows of one run in a batch. */
export interface BatchPart {
  readonly run: number;
  readonly rows: readonly number[];
}

/** Bytes of a vector over all parameters (float32 little-endian), as they come. */
export interface DirectionChunk {
  readonly digest: string;
  /** Byte at which the chunk stands. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** What a session says of N rows, by the names of `Outputs`: each (N, …) row-major, absent where the work does not give it. */
export type Matrices = Readonly<Partial<Record<"logits" | "featureNormsSquared" | MatrixName, Float32Array>>>;

/** Outputs of rows of one run. */
export interface BatchPartOutputs extends BatchPart {
  readonly outputs: Matrices;
}

/** What an engine process answers. */
export type FromEngine =
  /** `missing` says why the device could not be had, where the CPU stands in for it. */
  | { readonly type: "ready"; readonly device: Device; readonly missing: string | null }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "pong" }
  | { readonly type: "answer"; readonly ask: number; readonly value: number | Float32Array }
  /** (N) token counts and cuts of rows of a run, in the order of `rows`. */
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
  /** `graph`: the graph itself cannot run, whatever the rows. */
  | {
      readonly type: "batch_failed";
      readonly batch: number;
      readonly reason: string;
      readonly of: "rows" | "graph";
    };

/** One batch that a session ran, for the metrics. */
export interface BatchFacts {
  readonly rows: number;
  /** Tokens that carry text, special tokens included. */
  readonly tokens: number;
  /** Rows × columns of the batch as it ran. */
  readonly paddedTokens: number;
  /** Its tokens in tokens of the forward graph. */
  readonly cost: number;
  readonly inferMs: number;
}
