import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Priority } from "../../../src/ranker/batch-planner.js";
import {
  createScheduler,
  type PendingRow,
  pendingRow,
  type Scheduler,
} from "../../../src/ranker/engine/process/scheduler.js";
import type { SessionHandle } from "../../../src/ranker/engine/process/session-handle.js";
import type { BatchFacts, BatchPartOutputs } from "../../../src/ranker/engine/protocol.js";
import type { PaddedBatch } from "../../../src/ranker/engine/session/padding.js";

/** A session that works until the test says that it is done; each row's logit is its first token id. */
interface FakeThread extends SessionHandle {
  /** Rows of the batch at work, by their first token id; null when idle. */
  at: number[] | null;
  finish(): Promise<void>;
  fail(reason: string): Promise<void>;
}

function fakeThread(): FakeThread {
  let settle: { resolve: () => void; reject: (error: Error) => void } | null = null;
  const thread: FakeThread = {
    at: null,
    open: async () => undefined,
    close: async () => undefined,
    keepDirection: () => undefined,
    forgetDirection: () => undefined,
    keepSums: () => undefined,
    forgetSums: () => undefined,
    async run(_work, batch) {
      thread.at = [...(batch.inputs.ids as BigInt64Array)].map(Number);
      await new Promise<void>((resolve, reject) => {
        settle = { resolve, reject };
      });
      return {
        outputs: {
          logits: Float32Array.from(batch.inputs.ids as BigInt64Array, Number),
          featureNormsSquared: new Float32Array(batch.rows),
        },
        inferMs: 1,
      };
    },
    async finish() {
      thread.at = null;
      settle?.resolve();
      await turn();
    },
    async fail(reason) {
      thread.at = null;
      settle?.reject(new Error(reason));
      await turn();
    },
  };
  return thread;
}

interface Setup {
  readonly scheduler: Scheduler;
  readonly threads: FakeThread[];
  readonly started: number[][];
  readonly finished: BatchPartOutputs[];
  readonly failed: string[];
  readonly padded: number[];
  readonly facts: BatchFacts[];
}

function setUp(sessions = 1, wide: FakeThread | null = null, bulkPauseMsMax = 500): Setup {
  const threads = Array.from({ length: sessions }, fakeThread);
  const started: number[][] = [];
  const finished: BatchPartOutputs[] = [];
  const failed: string[] = [];
  const padded: number[] = [];
  const facts: BatchFacts[] = [];
  const scheduler = createScheduler({
    threads,
    wide: wide && { thread: wide, graph: "forward", tokensMax: 80 },
    tokensMax: 40,
    bulkPauseMsMax,
    pad(rows): PaddedBatch {
      padded.push(rows.length);
      const ids = BigInt64Array.from(rows, (row) => BigInt(row.ids[0] as number));
      return { rows: rows.length, shape: [rows.length, 10], inputs: { ids } };
    },
    onStarted: (_batch, parts) => started.push(parts.flatMap(({ rows }) => rows)),
    onFinished(_batch, parts, fact) {
      finished.push(...parts);
      facts.push(fact);
    },
    onFailed: (_batch, reason) => failed.push(reason),
  });
  return { scheduler, threads, started, finished, failed, padded, facts };
}

/** Rows of ten tokens, of which a batch holds four, or of other lengths; the first token id of each is `100 * run + row`. */
function rows(run: number, count: number, tokens = 10): PendingRow[] {
  return Array.from({ length: count }, (_, row) =>
    pendingRow({
      run,
      row,
      text: {
        ids: new Int32Array(tokens).fill(100 * run + row),
        typeIds: new Uint8Array(tokens),
        truncated: false,
      },
      work: { graph: "forward", asked: [], operand: null },
      coefficients: null,
      alone: false,
    }),
  );
}

/** The same rows for a graph with an operand. */
function tangents(run: number, count: number, tokens = 10): PendingRow[] {
  const work = { graph: "tangent", asked: [], operand: "direction" } as const;
  return rows(run, count, tokens).map((row) => pendingRow({ ...row, work }));
}

/** The first token ids of rows of a run. */
function ids(run: number, count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, row) => 100 * run + from + row);
}

describe("the scheduler", () => {
  it("fills batches from different runs and gives each run its own outputs", async () => {
    const { scheduler, threads, finished } = setUp();
    const [thread] = threads as [FakeThread];
    scheduler.add("bulk", rows(1, 1));
    scheduler.add("bulk", rows(2, 2));
    scheduler.add("bulk", rows(3, 1));
    await thread.finish();
    expect(thread.at).toEqual([200, 201, 300]);
    await thread.finish();
    expect(finished.map(({ run, rows, outputs }) => [run, [...rows], [...(outputs.logits ?? [])]])).toEqual([
      [1, [0], [100]],
      [2, [0, 1], [200, 201]],
      [3, [0], [300]],
    ]);
  });

  it("has the next batch padded when a session comes free", async () => {
    const { scheduler, threads, padded } = setUp();
    const [thread] = threads as [FakeThread];
    scheduler.add("bulk", rows(1, 10));
    expect(padded).toEqual([4]);
    await turn();
    expect(padded).toEqual([4, 4]);
    await thread.finish();
    expect(thread.at).toEqual([104, 105, 106, 107]);
  });

  it("keeps every session at work", async () => {
    const { scheduler, threads } = setUp(2);
    scheduler.add("bulk", rows(1, 10));
    expect(threads.map(({ at }) => at)).toEqual([
      [104, 105, 106, 107],
      [100, 101, 102, 103],
    ]);
    expect(scheduler.busy()).toBe(true);
    for (const thread of threads) await thread.finish();
    for (const thread of threads) await thread.finish();
    expect(scheduler.busy()).toBe(false);
  });

  it("gives a lonely row the session over all cores, and only while it is lonely", async () => {
    const wide = fakeThread();
    const { scheduler, threads, finished } = setUp(2, wide);
    scheduler.add("interactive", rows(1, 1));
    expect(wide.at).toEqual([100]);
    expect(scheduler.busy()).toBe(true);
    scheduler.add("interactive", rows(2, 1));
    expect(threads.map(({ at }) => at)).toEqual([null, [200]]);
    for (const thread of [...threads, wide]) await thread.finish();
    expect(finished.map(({ run }) => run)).toEqual([2, 1]);
    expect(scheduler.busy()).toBe(false);

    scheduler.add("interactive", rows(3, 2));
    expect([wide, ...threads].map(({ at }) => at)).toEqual([null, [301], [300]]);
    scheduler.add("interactive", rows(4, 1));
    await threads[0]?.finish();
    expect([wide, ...threads].map(({ at }) => at)).toEqual([null, [400], [300]]);
  });

  it("keeps the session over all cores for its own graph", () => {
    const wide = fakeThread();
    const { scheduler, threads } = setUp(2, wide);
    const work = { graph: "norms", asked: [], operand: null } as const;
    scheduler.add(
      "interactive",
      rows(1, 1).map((row) => pendingRow({ ...row, work })),
    );
    expect([wide, ...threads].map(({ at }) => at)).toEqual([null, null, [100]]);
  });

  it("runs every batch with an operand in the session over all cores, with that session's budget", async () => {
    const wide = fakeThread();
    const { scheduler, threads, facts } = setUp(2, wide);
    scheduler.add("bulk", tangents(1, 12));
    expect([wide, ...threads].map(({ at }) => at)).toEqual([ids(1, 8), null, null]);
    await wide.finish();
    expect([wide, ...threads].map(({ at }) => at)).toEqual([ids(1, 4, 8), null, null]);
    await wide.finish();
    scheduler.add("bulk", rows(2, 8));
    for (const thread of threads) await thread.finish();
    expect(facts.map(({ coresShare }) => coresShare)).toEqual([1, 1, 0.5, 0.5]);
    expect(scheduler.busy()).toBe(false);
  });

  it("runs batches with an operand in its only session", () => {
    const { scheduler, threads } = setUp();
    scheduler.add("bulk", tangents(1, 8));
    expect(threads.map(({ at }) => at)).toEqual([ids(1, 4)]);
  });

  it("lets neither lane of interactive rows wait for the other, nor for bulk of the other", async () => {
    const wide = fakeThread();
    const { scheduler, threads } = setUp(2, wide);
    scheduler.add("bulk", tangents(1, 16));
    scheduler.add("interactive", tangents(2, 1));
    scheduler.add("interactive", rows(3, 1));
    expect([wide, ...threads].map(({ at }) => at)).toEqual([ids(1, 8), null, [300]]);
    await wide.finish();
    expect(wide.at).toEqual([200]);
    await threads[1]?.finish();
    await wide.finish();
    expect(wide.at).toEqual(ids(1, 8, 8));

    scheduler.add("bulk", rows(4, 8));
    await wide.finish();
    scheduler.add("interactive", tangents(5, 1));
    expect([wide, ...threads].map(({ at }) => at)).toEqual([[500], ids(4, 4, 4), ids(4, 4)]);
  });

  it("lets no bulk overtake bulk that waits for the session over all cores", async () => {
    const wide = fakeThread();
    const { scheduler, threads } = setUp(2, wide);
    scheduler.add("bulk", tangents(1, 16));
    scheduler.add("bulk", rows(2, 8));
    expect([wide, ...threads].map(({ at }) => at)).toEqual([ids(1, 8), null, null]);
    await wide.finish();
    expect([wide, ...threads].map(({ at }) => at)).toEqual([ids(1, 8, 8), ids(2, 4, 4), ids(2, 4)]);
  });

  it.each([
    ["an operand", tangents],
    ["no operand", rows],
  ])(
    "gives bulk with %s a batch after its pause, however much of each lane is interactive",
    async (_with, made) => {
      const wide = fakeThread();
      const { scheduler, threads } = setUp(2, wide, -1);
      const sessions = [wide, ...threads];
      scheduler.add("interactive", [...tangents(1, 40), ...rows(2, 40)]);
      scheduler.add("bulk", made(3, 1));
      for (const thread of sessions) await thread.finish();
      expect(sessions.flatMap(({ at }) => at)).toContain(300);
    },
  );

  it("runs an interactive row before the bulk batch that was ready", async () => {
    const { scheduler, threads } = setUp();
    const [thread] = threads as [FakeThread];
    scheduler.add("bulk", rows(1, 10));
    await turn();
    scheduler.add("interactive", rows(2, 1));
    await thread.finish();
    expect(thread.at).toEqual([200]);
    await thread.finish();
    expect(thread.at).toEqual([104, 105, 106, 107]);
  });

  it("forgets a cancelled run, also where its batch was ready", async () => {
    const { scheduler, threads, started } = setUp();
    const [thread] = threads as [FakeThread];
    scheduler.add("bulk", rows(1, 8));
    scheduler.add("bulk", rows(2, 1));
    await turn();
    scheduler.cancel(1);
    await thread.finish();
    expect(thread.at).toEqual([200]);
    await thread.finish();
    expect(started).toHaveLength(2);
    expect(thread.at).toBeNull();
  });

  it("goes on after a batch that failed", async () => {
    const { scheduler, threads, failed, finished } = setUp();
    const [thread] = threads as [FakeThread];
    scheduler.add("bulk", rows(1, 5));
    await thread.fail("out of memory");
    expect(failed).toEqual(["out of memory"]);
    expect(thread.at).toEqual([104]);
    await thread.finish();
    expect(finished.map(({ run }) => run)).toEqual([1]);
  });

  it("gives a short interactive run the next batch but one, however much of another waits", async () => {
    const { scheduler, threads } = setUp();
    const [thread] = threads as [FakeThread];
    scheduler.add("interactive", rows(1, 150, 40));
    scheduler.add("interactive", rows(2, 1));
    await thread.finish();
    await thread.finish();
    expect(thread.at).toEqual([200]);
    await thread.finish();
    expect(thread.at).toEqual([102]);
  });

  it("lets interactive runs take turns, and starves none while others keep coming", async () => {
    const { scheduler, threads } = setUp();
    const [thread] = threads as [FakeThread];
    const order: number[] = [];
    scheduler.add("interactive", rows(1, 3, 40));
    scheduler.add("interactive", rows(2, 3, 40));
    for (let next = 3; next < 9; next++) {
      order.push(...(thread.at ?? []));
      scheduler.add("interactive", rows(next, 1, 40));
      await thread.finish();
    }
    while (thread.at !== null) {
      order.push(...thread.at);
      await thread.finish();
    }
    expect(order).toEqual([100, 101, 200, 300, 102, 400, 201, 500, 600, 700, 800, 202]);
  });

  it("runs a lonely interactive run in the batches of a bulk one", async () => {
    async function batchesOf(priority: Priority): Promise<number[][]> {
      const { scheduler, threads } = setUp();
      const [thread] = threads as [FakeThread];
      const batches: number[][] = [];
      scheduler.add(priority, [...rows(1, 9, 10), ...rows(1, 5, 17)]);
      while (thread.at !== null) {
        batches.push(thread.at);
        await thread.finish();
      }
      return batches;
    }
    expect(await batchesOf("interactive")).toEqual(await batchesOf("bulk"));
  });

  it("runs bulk in the order it came", async () => {
    const { scheduler, threads } = setUp();
    const [thread] = threads as [FakeThread];
    scheduler.add("bulk", rows(1, 3, 40));
    scheduler.add("bulk", rows(2, 1, 40));
    const order: number[] = [];
    while (thread.at !== null) {
      order.push(...thread.at);
      await thread.finish();
    }
    expect(order).toEqual([100, 101, 102, 200]);
  });
});
