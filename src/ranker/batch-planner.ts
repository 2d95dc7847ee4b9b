/** A row that waits for the model. */
export interface WaitingRow {
  /** All rows of a batch have the same kind. */
  readonly kind: string;
  /** Token count, special tokens included. */
  readonly tokens: number;
  /** Most padded tokens of a batch of this kind, as a multiple of `tokensMax`. */
  readonly batchScale: number;
  /** Runs in a batch of its own, because it may have crashed the engine process. */
  readonly alone: boolean;
}

/** Small runs, which a user may be waiting for, go before bulk. */
export const PRIORITIES = ["interactive", "bulk"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Rows in the order in which they lead a batch, by priority. */
export type WaitingRows = Readonly<Record<Priority, readonly WaitingRow[]>>;

export interface PlanOptions {
  /** Most padded tokens of a batch (rows × longest row); a longer row makes a batch of its own. */
  readonly tokensMax: number;
  /** Number of idle sessions. They share the waiting rows if these are too few for a full batch each. */
  readonly sessionsIdle: number;
  /** Time that bulk has waited since its last batch. If it is over `bulkPauseMsMax`, bulk gets the next batch. */
  readonly bulkPauseMs: number;
  readonly bulkPauseMsMax: number;
}

export interface PlannedBatch {
  readonly priority: Priority;
  /** Indices into the rows of that priority. */
  readonly rows: readonly number[];
}

/** A plan looks at this many rows: enough to group similar lengths, and few enough to sort for every batch. */
const HORIZON = 1024;

/**
 * The next batch to run. Interactive rows go before bulk, except that bulk gets one batch after each pause. The batch holds the
 * first row of its priority, so that no row waits for ever, and rows of the same kind and similar length. Null if no row waits.
 */
export function planNextBatch(waiting: WaitingRows, options: PlanOptions): PlannedBatch | null {
  const bulkIsDue = waiting.bulk.length > 0 && options.bulkPauseMs > options.bulkPauseMsMax;
  const priority = waiting.interactive.length > 0 && !bulkIsDue ? "interactive" : "bulk";
  const first = waiting[priority][0];
  if (first === undefined) return null;
  if (first.alone) return { priority, rows: [0] };
  const candidates: number[] = [];
  const lengths: number[] = [];
  for (const [row, { alone, kind, tokens }] of waiting[priority].slice(0, HORIZON).entries()) {
    if (alone || kind !== first.kind) continue;
    candidates.push(row);
    lengths.push(tokens);
  }
  const share = Math.ceil((lengths.length * Math.max(...lengths)) / options.sessionsIdle);
  const batches = planBatches(lengths, Math.min(options.tokensMax * first.batchScale, share));
  const batch = batches.find((indices) => indices.includes(0)) as number[];
  return { priority, rows: batch.map((index) => candidates[index] as number) };
}

/**
 * Groups rows into batches of similar length. It goes from the longest row down and fills each batch until its padded size (rows
 * × longest row) would exceed `tokensMax`, so the last batch holds short rows. A row over the budget makes a batch of its own.
 * Returns indices into `lengths`; every index occurs once.
 */
export function planBatches(lengths: ArrayLike<number>, tokensMax: number): number[][] {
  const order = Array.from({ length: lengths.length }, (_, i) => i).sort(
    (i, j) => (lengths[j] as number) - (lengths[i] as number) || i - j,
  );
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const index of order) {
    // Sorted descending: the first row of a batch is its longest.
    const longest = lengths[batch[0] ?? index] as number;
    if (batch.length > 0 && (batch.length + 1) * longest > tokensMax) {
      batches.push(batch);
      batch = [];
    }
    batch.push(index);
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
