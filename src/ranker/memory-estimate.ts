import { BATCH_SCALE, batchTokensMax, wideTokensMax } from "./engine/process/batch-budget.js";
import { MAPPED_BYTES_MIN } from "./engine/session/packs-weights.js";
import { forwardGraph, GRAPHS, type Graph } from "./graphs.js";
import { type Manifest, TOKENISER_FILE } from "./manifest.js";
import { parameterCount } from "./parameters.js";
import type { Precision } from "./port.js";
import { weightBytes } from "./weight-bytes.js";

/** How an engine process is set up. */
export interface EngineShape {
  readonly precision: Precision;
  readonly sessions: number;
  /** Threads inside one operator of one session. */
  readonly threads: number;
}

/** Estimates of what an engine process on the CPU takes, in bytes. */
export interface MemoryEstimate {
  /** With the forward graph of its precision, under load. */
  readonly loaded: number;
  /**
   * What the use of a further graph adds. `tangent` includes one direction, `accumulate` the sums of one. Only the folder's graphs
   * have an entry.
   */
  readonly added: Readonly<Partial<Record<Graph, number>>>;
}

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;
/** Node, its libraries and the runtime's. */
const PROCESS_BYTES = 120e6;
/** A session thread with the structures of its first graph. */
const THREAD_BYTES = 30e6;
/** The structures of a further graph in a thread. */
const GRAPH_BYTES = 20e6;
/** A tokenizer in memory, as a multiple of its file. */
const TOKENISER_FACTOR = 10;
/**
 * Values that a batch keeps for each token, layer and unit of the hidden size. Measured on 6×384 and 12×768 with pairs of 37
 * tokens. Attention adds to it with the square of the length: texts of 512 tokens take about twice as much.
 */
const FORWARD_VALUES = 8;
const GRADIENT_VALUES = 28;

export function estimateMemory(
  manifest: Manifest,
  { precision, sessions, threads }: EngineShape,
): MemoryEstimate {
  const threadsOpen = sessions === 1 ? 1 : sessions + 1;
  const tokens = batchTokensMax({ kind: "cpu" }, { threads });
  const tokensWide = sessions === 1 ? tokens : wideTokensMax(sessions * threads);
  const { tables, matrices, stored } = weightBytes(manifest);
  const value = FLOAT_BYTES * unitsOf(manifest);
  const vector = FLOAT_BYTES * parameterCount(manifest);
  const forward = (graph: "forward" | "forward.int8", packed: number): number =>
    packed * threadsOpen + FORWARD_VALUES * value * tokens * sessions * BATCH_SCALE[graph];
  /** A gradient graph that runs in every session. */
  const rows = GRAPH_BYTES * sessions + GRADIENT_VALUES * value * tokens * sessions;
  const all: Readonly<Record<Graph, number>> = {
    forward: forward("forward", matrices < MAPPED_BYTES_MIN ? matrices : 0),
    "forward.int8": forward("forward.int8", stored),
    norms: rows,
    tangent: GRAPH_BYTES + vector + GRADIENT_VALUES * value * tokensWide * BATCH_SCALE.tangent,
    accumulate: GRAPH_BYTES + 3 * vector + GRADIENT_VALUES * value * tokensWide * BATCH_SCALE.accumulate,
    attribution: rows,
  };
  const first = forwardGraph(precision);
  const further = GRAPHS.filter((graph) => graph !== first && manifest.graphs[graph] !== undefined);
  return {
    loaded:
      PROCESS_BYTES +
      THREAD_BYTES * threadsOpen +
      TOKENISER_FACTOR * (manifest.files[TOKENISER_FILE]?.bytes ?? 0) +
      tables +
      matrices +
      all[first],
    added: Object.fromEntries(further.map((graph) => [graph, all[graph]])),
  };
}

/** Layers × hidden size. If the manifest does not say how many layers there are, as many as the largest usual models have. */
function unitsOf({ architecture }: Manifest): number {
  const { layers, hidden_size: hidden } = architecture;
  return hidden * (typeof layers === "number" ? layers : 24);
}
