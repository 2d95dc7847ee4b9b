import type { Graph } from "../../graphs.js";
import type { Device, EngineSetup } from "../protocol.js";

/**
 * Padded tokens of a batch for each thread of its session. Larger batches do not fit the CPU's cache, and small requests wait
 * longer for them. With one thread in fp32, 512 is as fast as 256, and 128 is 5% slower. `BATCH_SCALE` adapts this to other
 * graphs.
 */
const BATCH_TOKENS_PER_THREAD = 256;

/**
 * Most padded tokens of a batch of the session over all cores, before `BATCH_SCALE`. The memory of a batch grows with its tokens
 * (some 280 kB a token of `accumulate` for MiniLM), and this session uses all cores with this many.
 */
const WIDE_TOKENS_MAX = 1024;

/** Padded tokens of a batch on a GPU, which needs work for all its cores at once. Not measured. */
const BATCH_TOKENS_CUDA = 16_384;

/** Most padded tokens of a batch; a longer row makes a batch of its own. */
export function batchTokensMax({ kind }: Device, { threads }: Pick<EngineSetup, "threads">): number {
  return kind === "cpu" ? BATCH_TOKENS_PER_THREAD * threads : BATCH_TOKENS_CUDA;
}

/** The same for the session over all `threads` of a CPU. */
export function wideTokensMax(threads: number): number {
  return Math.min(WIDE_TOKENS_MAX, BATCH_TOKENS_PER_THREAD * threads);
}

/**
 * Budget of a batch by graph, as a multiple. int8 products need more rows than fp32 products to keep a core busy. Each batch of
 * `accumulate` writes every parameter and adds it to the sums, so larger ones cost less a row, but take more memory.
 */
export const BATCH_SCALE: Readonly<Record<Graph, number>> = {
  forward: 1,
  "forward.int8": 2,
  norms: 1,
  tangent: 1,
  accumulate: 2,
  attribution: 1,
};
