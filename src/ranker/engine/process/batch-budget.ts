import type { Device, EngineSetup } from "../protocol.js";

/**
 * Padded tokens of a batch for each thread of its session. Larger batches leave the CPU's cache, and small requests wait
 * longer behind them: for one thread 512 is as fast as 256 in fp32, 128 is 5% slower. `BATCH_SCALE` tells of other graphs.
 */
const BATCH_TOKENS_PER_THREAD = 256;

/** Padded tokens of a batch on a GPU, which wants work for all its cores at once. Not measured. */
const BATCH_TOKENS_CUDA = 16_384;

/** Padded tokens of a batch, at most; a longer row makes a batch of its own. */
export function batchTokensMax({ kind }: Device, { threads }: Pick<EngineSetup, "threads">): number {
  return kind === "cpu" ? BATCH_TOKENS_PER_THREAD * threads : BATCH_TOKENS_CUDA;
}
