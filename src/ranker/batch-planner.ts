/** A row that waits for the model. */
export interface WaitingRow {
  /** Rows of one batch are of one kind. */
  readonly kind: string;
  /** Token count, special tokens included. */
  readonly tokens: number;
  /** Padded tokens of a batch of its kind, at most, in `tokensMax`. */
  readonly batchScale: number;
  /** Runs in a batch of its own: it is suspected of ending the engine process. */
  readonly alone: boolean;
}

/** Small runs that somebody waits for go before bulk. */
export const PRIORITIES = ["interactive", "bulk"] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Rows in the order in which they lead a batch, by priority. */
export type WaitingRows = Readonly<Record<Priority, readonly WaitingRow[]>>;

export interface PlanOptions {
  /** Padded tokens of a batch (rows × longest row), at most; a longer row makes a batch of its own. */
  readonly tokensMax: number;
  /** Sessions that have nothing to do: they share what waits where it is less than a batch for each. */
  readonly sessionsIdle: number;
  /** Time since bulk last got a batch while it waits; over `bulkPauseMsMax` its turn comes. */
  readonly bulkPauseMs: number;
  readonly bulkPauseMsMax: number;
}

export interface PlannedBatch {
  readonly priority: Priority;
  /** Indices into the rows of that priority. */
  readonly rows: readonly number[];
}

/** Rows from the first on that a plan looks at: enough to group like lengths, and few enough to sort for every batch. */
const HORIZON = 1024;

/**
 * The next batch to run: interactive rows before bulk, but for the batch that bulk gets after each pause. It holds the first
 * row of its priority, so nothing waits for ever, and rows of its kind and about its length. Null where nothing waits.
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
 * Groups rows into batches of similar length: from the longest down, each batch filled until its padded size (rows × longest
 * row) would pass `tokensMax`, so that what is left over is short. A row longer than the budget makes a batch of its own.
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
