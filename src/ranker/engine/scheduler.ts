import { type PlannedBatch, PRIORITIES, type Priority, planNextBatch } from "../plan.js";
import type { Precision } from "../port.js";
import type { TokenisedText } from "../tokeniser.js";
import type { PaddedBatch } from "./padding.js";
import type { BatchFacts, BatchPart, BatchPartOutputs } from "./protocol.js";
import type { SessionThread } from "./session-threads.js";

/** A tokenised row that waits for a session. */
export interface PendingRow {
  readonly run: number;
  /** Which row of the run. */
  readonly row: number;
  readonly text: TokenisedText;
  readonly tokens: number;
  readonly precision: Precision;
  readonly alone: boolean;
}

export interface SchedulerOptions {
  readonly threads: readonly SessionThread[];
  /** Padded tokens of one batch, at most. */
  readonly tokensMax: number;
  /** How long interactive rows may keep bulk waiting. */
  readonly bulkPauseMsMax: number;
  readonly pad: (rows: readonly TokenisedText[]) => PaddedBatch;
  readonly onStarted: (batch: number, parts: readonly BatchPart[]) => void;
  readonly onFinished: (batch: number, parts: readonly BatchPartOutputs[], facts: BatchFacts) => void;
  readonly onFailed: (batch: number, reason: string) => void;
}

export interface Scheduler {
  add(priority: Priority, rows: readonly PendingRow[]): void;
  /** Forgets the rows of a run that nobody waits for; a batch under way finishes. */
  cancel(run: number): void;
  /** Whether a session is at work. */
  busy(): boolean;
}

interface ReadyBatch {
  readonly priority: Priority;
  readonly rows: readonly PendingRow[];
  readonly padded: PaddedBatch;
}

/**
 * Keeps every session busy with batches of the waiting rows, whichever run they belong to. While the sessions work, the next
 * batch is planned and padded; rows that come or go in the meantime change it.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  const pending: Record<Priority, PendingRow[]> = { interactive: [], bulk: [] };
  const idle = [...options.threads];
  let bulkStartedAtMs = 0;
  let nextBatch = 1;
  let ready: ReadyBatch | null = null;
  let preparing = false;

  function dispatch(): void {
    while (idle.length > 0) {
      const batch = ready ?? plan(idle.length);
      if (batch === null) return;
      ready = null;
      const taken = new Set(batch.rows);
      pending[batch.priority] = pending[batch.priority].filter((row) => !taken.has(row));
      if (batch.priority === "bulk") bulkStartedAtMs = performance.now();
      void run(idle.pop() as SessionThread, batch);
    }
    prepare();
  }

  /** Plans and pads the batch that the next idle session will take, after the messages that are already here. */
  function prepare(): void {
    if (preparing) return;
    preparing = true;
    setImmediate(() => {
      preparing = false;
      ready ??= plan(1);
    });
  }

  function plan(sessionsIdle: number): ReadyBatch | null {
    // Bulk that has just come has not been kept waiting.
    if (pending.bulk.length === 0) bulkStartedAtMs = performance.now();
    const planned: PlannedBatch | null = planNextBatch(pending, {
      tokensMax: options.tokensMax,
      sessionsIdle,
      bulkPauseMs: performance.now() - bulkStartedAtMs,
      bulkPauseMsMax: options.bulkPauseMsMax,
    });
    if (planned === null) return null;
    const rows = planned.rows.map((index) => pending[planned.priority][index] as PendingRow);
    return { priority: planned.priority, rows, padded: options.pad(rows.map(({ text }) => text)) };
  }

  async function run(thread: SessionThread, { rows, padded }: ReadyBatch): Promise<void> {
    const batch = nextBatch++;
    const parts = partsOf(rows);
    options.onStarted(
      batch,
      parts.map(({ run, rows }) => ({ run, rows })),
    );
    const facts = {
      rows: rows.length,
      tokens: rows.reduce((sum, { tokens }) => sum + tokens, 0),
      paddedTokens: padded.shape[0] * padded.shape[1],
    };
    const answer = await thread.run((rows[0] as PendingRow).precision, padded).catch((error: Error) => error);
    idle.push(thread);
    if (answer instanceof Error) {
      options.onFailed(batch, answer.message);
      dispatch();
      return;
    }
    dispatch(); // before the answers: the session should not wait for them
    const { logits, featureNormsSquared } = answer.outputs;
    const classes = logits.length / padded.rows;
    const finished = parts.map(({ run, rows, indices }) => ({
      run,
      rows,
      logits: Float32Array.from(
        indices.flatMap((index) => [...logits.subarray(index * classes, (index + 1) * classes)]),
      ),
      featureNormsSquared: Float32Array.from(indices, (index) => featureNormsSquared[index] as number),
    }));
    options.onFinished(batch, finished, { ...facts, inferMs: answer.inferMs });
  }

  return {
    add(priority, rows) {
      pending[priority].push(...rows);
      ready = null;
      dispatch();
    },
    cancel(run) {
      for (const priority of PRIORITIES) {
        pending[priority] = pending[priority].filter((row) => row.run !== run);
      }
      ready = null;
      prepare();
    },
    busy: () => idle.length < options.threads.length,
  };
}

/** The batch by run: rows of the run, and their indices in the batch. */
function partsOf(batch: readonly PendingRow[]): { run: number; rows: number[]; indices: number[] }[] {
  const parts = new Map<number, { rows: number[]; indices: number[] }>();
  batch.forEach(({ run, row }, index) => {
    const part = parts.get(run) ?? { rows: [], indices: [] };
    part.rows.push(row);
    part.indices.push(index);
    parts.set(run, part);
  });
  return [...parts].map(([run, part]) => ({ run, ...part }));
}
