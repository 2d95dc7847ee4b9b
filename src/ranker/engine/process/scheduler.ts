import {
  type PlannedBatch,
  PRIORITIES,
  type Priority,
  planNextBatch,
  type WaitingRow,
} from "../../batch-planner.js";
import { COST, type Graph, kindOf, type Work } from "../../graphs.js";
import type { TokenisedText } from "../../tokeniser.js";
import type { BatchFacts, BatchPart, BatchPartOutputs, Matrices } from "../protocol.js";
import { gatherRows } from "../rows.js";
import type { PaddedBatch } from "../session/padding.js";
import { BATCH_SCALE } from "./batch-budget.js";
import { GraphFault, type SessionHandle } from "./session-handle.js";

/**
 * Whether the runs of a priority take turns: the run whose oldest row led a batch goes behind the others, so no run waits until a
 * longer one has ended. Bulk runs do not: they are served in the order in which they came, and admission counts on that order to
 * keep deadlines. If bulk runs of equal size took turns, all of them would end late.
 */
const TAKES_TURNS: Readonly<Record<Priority, boolean>> = { interactive: true, bulk: false };

/** A tokenised row that waits for a session. */
export interface PendingRow extends WaitingRow {
  readonly run: number;
  /** Index of the row in the run. */
  readonly row: number;
  readonly text: TokenisedText;
  readonly work: Work;
  /** (K) coefficients of accumulate, (1) α of attribution; null for the other graphs. */
  readonly coefficients: Float32Array | null;
}

/** Adds to a row what the plan needs to know. */
export function pendingRow(row: Omit<PendingRow, "kind" | "tokens" | "batchScale">): PendingRow {
  const { graph } = row.work;
  return { ...row, kind: kindOf(row.work), tokens: row.text.ids.length, batchScale: BATCH_SCALE[graph] };
}

/**
 * The thread that uses the cores of all others. It runs the graphs with operands, so that a direction, the gradient of a batch
 * and the memory of these graphs exist once. It also runs a batch of `graph` that has the engine to itself.
 */
export interface WideSession {
  readonly thread: SessionHandle;
  readonly graph: Graph;
  /** Most padded tokens of one of its batches. */
  readonly tokensMax: number;
}

export interface SchedulerOptions {
  readonly threads: readonly SessionHandle[];
  /** Null if a single session has all cores. It then runs every graph. */
  readonly wide: WideSession | null;
  /** Most padded tokens of one batch of `threads`. */
  readonly tokensMax: number;
  /** How long interactive rows may keep bulk waiting. */
  readonly bulkPauseMsMax: number;
  readonly pad: (rows: readonly TokenisedText[]) => PaddedBatch;
  readonly onStarted: (batch: number, parts: readonly BatchPart[]) => void;
  readonly onFinished: (batch: number, parts: readonly BatchPartOutputs[], facts: BatchFacts) => void;
  readonly onFailed: (batch: number, reason: string, of: "rows" | "graph") => void;
}

export interface Scheduler {
  add(priority: Priority, rows: readonly PendingRow[]): void;
  /** Drops the waiting rows of a run. A batch that already runs finishes. */
  cancel(run: number): void;
  /** Whether a session runs a batch. */
  busy(): boolean;
}

/** Where a batch runs: in one of `threads`, or in the wide session. A row's work decides it, but see `takeThread`. */
const LANES = ["wide", "narrow"] as const;
type Lane = (typeof LANES)[number];

interface ReadyBatch {
  readonly priority: Priority;
  /** The run whose row led it. */
  readonly leader: number;
  readonly rows: readonly PendingRow[];
  /** The work of all its rows. */
  readonly work: Work;
  readonly padded: PaddedBatch;
}

/**
 * Keeps the sessions busy with batches of waiting rows, which may come from several runs. While they work, the next batches are
 * planned and padded. If rows are added or cancelled in the meantime, they are planned again.
 *
 * Interactive rows of one lane never wait for the other lane. Bulk is served in order: while its first row waits for the wide
 * session, which then keeps all cores busy, no later bulk overtakes it.
 */
export function createScheduler(options: SchedulerOptions): Scheduler {
  /** In the order in which rows lead a batch. */
  const pending: Record<Priority, PendingRow[]> = { interactive: [], bulk: [] };
  const idle = [...options.threads];
  const { wide } = options;
  const ready: Record<Lane, ReadyBatch | null> = { wide: null, narrow: null };
  let wideIsBusy = false;
  let bulkStartedAtMs = 0;
  let nextBatch = 1;
  let preparing = false;

  function dispatch(): void {
    for (const lane of LANES) {
      for (let count = idleIn(lane); count > 0; count = idleIn(lane)) {
        const batch = ready[lane] ?? plan(lane, count);
        if (batch === null) break;
        ready[lane] = null;
        take(batch);
        if (batch.priority === "bulk") bulkStartedAtMs = performance.now();
        void run(takeThread(lane, batch), batch);
      }
    }
    prepare();
  }

  function idleIn(lane: Lane): number {
    if (lane === "narrow") return idle.length;
    return wide === null || wideIsBusy ? 0 : 1;
  }

  function laneOf({ operand }: Work): Lane {
    return wide === null || operand === null ? "narrow" : "wide";
  }

  /** Removes the rows of a batch from the queue, and ends the turn of the run that led it. */
  function take({ priority, leader, rows }: ReadyBatch): void {
    const taken = new Set(rows);
    const left = pending[priority].filter((row) => !taken.has(row));
    pending[priority] = TAKES_TURNS[priority]
      ? [...left.filter(({ run }) => run !== leader), ...left.filter(({ run }) => run === leader)]
      : left;
  }

  /**
   * The session for a batch. If a batch has fewer rows than there are sessions and nothing else waits or runs, it gets the wide
   * session, which uses all cores for each product. A normal session would leave the other cores idle.
   */
  function takeThread(lane: Lane, { rows, work }: ReadyBatch): SessionHandle {
    const waiting = pending.interactive.length + pending.bulk.length;
    const isLonely = idle.length === options.threads.length && waiting === 0 && rows.length < idle.length;
    const isForWide = lane === "wide" || (isLonely && !wideIsBusy && work.graph === wide?.graph);
    if (wide === null || !isForWide) return idle.pop() as SessionHandle;
    wideIsBusy = true;
    return wide.thread;
  }

  /** Plans and pads the batch for the next idle session, after the messages that have already arrived. */
  function prepare(): void {
    if (preparing) return;
    preparing = true;
    setImmediate(() => {
      preparing = false;
      for (const lane of LANES) ready[lane] ??= plan(lane, 1);
    });
  }

  function plan(lane: Lane, sessionsIdle: number): ReadyBatch | null {
    // The waiting time of bulk starts when bulk arrives.
    if (pending.bulk.length === 0) bulkStartedAtMs = performance.now();
    const waiting = waitingFor(lane);
    const planned: PlannedBatch | null = planNextBatch(waiting, {
      tokensMax: lane === "wide" && wide !== null ? wide.tokensMax : options.tokensMax,
      sessionsIdle,
      bulkPauseMs: performance.now() - bulkStartedAtMs,
      bulkPauseMsMax: options.bulkPauseMsMax,
    });
    if (planned === null) return null;
    const { priority } = planned;
    const rows = planned.rows.map((index) => waiting[priority][index] as PendingRow);
    const { run: leader, work } = waiting[priority][0] as PendingRow;
    return { priority, leader, rows, work, padded: options.pad(rows.map(({ text }) => text)) };
  }

  function waitingFor(lane: Lane): Record<Priority, PendingRow[]> {
    const isOfLane = ({ work }: PendingRow): boolean => laneOf(work) === lane;
    const [first] = pending.bulk;
    return {
      interactive: pending.interactive.filter(isOfLane),
      bulk: first !== undefined && isOfLane(first) ? pending.bulk.filter(isOfLane) : [],
    };
  }

  function forgetReady(): void {
    for (const lane of LANES) ready[lane] = null;
  }

  async function run(thread: SessionHandle, { rows, work, padded }: ReadyBatch): Promise<void> {
    const batch = nextBatch++;
    const parts = partsOf(rows);
    options.onStarted(
      batch,
      parts.map(({ run, rows }) => ({ run, rows })),
    );
    const facts = {
      rows: rows.length,
      cost: rows.reduce((sum, { tokens }) => sum + tokens, 0) * COST[work.graph],
      tokens: rows.reduce((sum, { tokens }) => sum + tokens, 0),
      paddedTokens: padded.shape[0] * padded.shape[1],
      coresShare: thread === wide?.thread ? 1 : 1 / options.threads.length,
    };
    const answer = await thread
      .run(work, padded, coefficientsOf(rows, padded))
      .catch((error: Error) => error);
    if (thread === wide?.thread) wideIsBusy = false;
    else idle.push(thread);
    if (answer instanceof Error) {
      options.onFailed(batch, answer.message, answer instanceof GraphFault ? "graph" : "rows");
      dispatch();
      return;
    }
    dispatch(); // before the answers, so that the session does not wait for them
    const finished = parts.map(({ run, rows, indices }) => ({
      run,
      rows,
      outputs: gather(answer.outputs, padded.rows, indices),
    }));
    options.onFinished(batch, finished, { ...facts, inferMs: answer.inferMs });
  }

  return {
    add(priority, rows) {
      pending[priority].push(...rows);
      forgetReady();
      dispatch();
    },
    cancel(run) {
      for (const priority of PRIORITIES) {
        pending[priority] = pending[priority].filter((row) => row.run !== run);
      }
      forgetReady();
      prepare();
    },
    busy: () => idle.length < options.threads.length || wideIsBusy,
  };
}

/** (B, K) coefficients of a padded batch, with zeros for the rows that fill it up; null if the work takes no coefficients. */
function coefficientsOf(rows: readonly PendingRow[], { shape }: PaddedBatch): Float32Array | null {
  const width = rows[0]?.coefficients?.length;
  if (width === undefined) return null;
  const matrix = new Float32Array(shape[0] * width);
  rows.forEach(({ coefficients }, row) => {
    matrix.set(coefficients as Float32Array, row * width);
  });
  return matrix;
}

/** The rows at `indices` of outputs with `count` rows. */
function gather(from: Matrices, count: number, indices: readonly number[]): Matrices {
  const gathered: Record<string, Float32Array> = {};
  for (const [name, matrix] of Object.entries(from)) {
    gathered[name] = gatherRows(matrix, count, indices);
  }
  return gathered;
}

/** The batch split by run: the row numbers in the run, and the indices in the batch. */
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
