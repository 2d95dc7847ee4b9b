import { planBatches } from "../plan.js";
import type { Outputs, Precision } from "../port.js";
import type { TokenisedText } from "../tokeniser.js";
import type { BatchFacts } from "./protocol.js";
import type { ForwardSession } from "./session.js";

/** A run whose texts are tokenised and that waits for its rows. */
interface PendingRun {
  readonly run: number;
  readonly precision: Precision;
  readonly rows: readonly TokenisedText[];
  readonly tokeniseMs: number;
  readonly queuedAtMs: number;
  startedAtMs: number | null;
  logits: Float32Array | null; // (N, K), allocated when the first batch tells K
  readonly featureNormsSquared: Float32Array;
  rowsLeft: number;
}

interface PendingRow {
  readonly of: PendingRun;
  readonly index: number;
}

export interface SchedulerOptions {
  /** Padded tokens of one batch, at most. */
  readonly tokensMax: number;
  readonly openSession: (precision: Precision) => Promise<ForwardSession>;
  readonly onDone: (run: number, outputs: Outputs) => void;
  readonly onFailed: (run: number, error: Error) => void;
  readonly onBatch: (facts: BatchFacts) => void;
}

export interface Scheduler {
  add(run: number, precision: Precision, rows: readonly TokenisedText[], tokeniseMs: number): void;
  /** Forgets the rows of a run that nobody waits for; a batch under way finishes. */
  cancel(run: number): void;
}

/**
 * Runs pending rows batch by batch on one session at a time. Rows of different runs share batches when their lengths
 * are alike; the batch that holds the oldest row goes first, so nothing waits for ever.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const sessions = new Map<Precision, Promise<ForwardSession>>();
  let pending: PendingRow[] = [];
  let running = false;

  async function drain(): Promise<void> {
    if (running) return;
    running = true;
    while (pending.length > 0) {
      await runBatch(takeBatch());
      // Lets messages in: new runs join the next batch, cancelled ones leave it.
      await new Promise((resolve) => setImmediate(resolve));
    }
    running = false;
  }

  function takeBatch(): PendingRow[] {
    const oldest = pending[0] as PendingRow;
    const candidates = pending.filter((row) => row.of.precision === oldest.of.precision);
    const batches = planBatches(
      candidates.map((row) => rowOf(row).ids.length),
      options.tokensMax,
    );
    const batch = batches.find((indices) => indices.includes(0)) as number[];
    const taken = new Set(batch.map((index) => candidates[index] as PendingRow));
    pending = pending.filter((row) => !taken.has(row));
    return [...taken];
  }

  async function runBatch(batch: readonly PendingRow[]): Promise<void> {
    const precision = (batch[0] as PendingRow).of.precision;
    const startedAtMs = performance.now();
    for (const { of } of batch) of.startedAtMs ??= startedAtMs;
    try {
      let session = sessions.get(precision);
      if (session === undefined) {
        session = options.openSession(precision);
        sessions.set(precision, session);
      }
      const rows = batch.map(rowOf);
      const { logits, featureNormsSquared } = await (await session).run(rows);
      const endedAtMs = performance.now();
      const lengths = rows.map((row) => row.ids.length);
      options.onBatch({
        rows: rows.length,
        tokens: lengths.reduce((sum, length) => sum + length, 0),
        paddedTokens: rows.length * Math.max(...lengths),
        inferMs: endedAtMs - startedAtMs,
      });
      scatter(batch, logits, featureNormsSquared, endedAtMs);
    } catch (error) {
      fail(new Set(batch.map(({ of }) => of)), error as Error);
    }
  }

  function scatter(
    batch: readonly PendingRow[],
    logits: Float32Array,
    featureNormsSquared: Float32Array,
    endedAtMs: number,
  ): void {
    const classes = logits.length / batch.length;
    batch.forEach(({ of, index }, b) => {
      of.logits ??= new Float32Array(of.rows.length * classes);
      of.logits.set(logits.subarray(b * classes, (b + 1) * classes), index * classes);
      of.featureNormsSquared[index] = featureNormsSquared[b] as number;
      of.rowsLeft -= 1;
      if (of.rowsLeft === 0) options.onDone(of.run, outputsOf(of, endedAtMs));
    });
  }

  function fail(runs: ReadonlySet<PendingRun>, error: Error): void {
    pending = pending.filter(({ of }) => !runs.has(of));
    for (const { run } of runs) options.onFailed(run, error);
  }

  return {
    add(run, precision, rows, tokeniseMs) {
      const of: PendingRun = {
        run,
        precision,
        rows,
        tokeniseMs,
        queuedAtMs: performance.now(),
        startedAtMs: null,
        logits: null,
        featureNormsSquared: new Float32Array(rows.length),
        rowsLeft: rows.length,
      };
      for (let index = 0; index < rows.length; index++) pending.push({ of, index });
      void drain();
    },
    cancel(run) {
      pending = pending.filter(({ of }) => of.run !== run);
    },
  };
}

function rowOf({ of, index }: PendingRow): TokenisedText {
  return of.rows[index] as TokenisedText;
}

function outputsOf(of: PendingRun, endedAtMs: number): Outputs {
  const startedAtMs = of.startedAtMs ?? endedAtMs;
  return {
    logits: of.logits ?? new Float32Array(0),
    featureNormsSquared: of.featureNormsSquared,
    truncated: Uint8Array.from(of.rows, (row) => (row.truncated ? 1 : 0)),
    timings: {
      tokeniseMs: of.tokeniseMs,
      queueMs: startedAtMs - of.queuedAtMs,
      inferMs: endedAtMs - startedAtMs,
    },
  };
}
