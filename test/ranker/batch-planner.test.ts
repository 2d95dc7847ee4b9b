import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planBatches, planNextBatch, type WaitingRow } from "../../src/ranker/batch-planner.js";

const lengths = fc.array(fc.integer({ min: 2, max: 512 }), { maxLength: 200 });

describe("planBatches", () => {
  it("puts every row into exactly one batch", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 4096 }), (rows, tokensMax) => {
        const planned = planBatches(rows, tokensMax).flat();
        expect(planned.sort((a, b) => a - b)).toEqual(rows.map((_, index) => index));
      }),
    );
  });

  it("keeps the padded size of every batch within the budget, unless one row alone passes it", () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 4096 }), (rows, tokensMax) => {
        for (const batch of planBatches(rows, tokensMax)) {
          const padded = batch.length * Math.max(...batch.map((index) => rows[index] as number));
          expect(batch.length === 1 || padded <= tokensMax).toBe(true);
        }
      }),
    );
  });

  it("groups rows of like length, the longest first", () => {
    fc.assert(
      fc.property(lengths, (rows) => {
        const sorted = planBatches(rows, 1024)
          .flat()
          .map((index) => rows[index] as number);
        expect(sorted).toEqual([...sorted].sort((a, b) => b - a));
      }),
    );
  });
});

describe("planNextBatch", () => {
  const waitingRow = fc.record<WaitingRow>({
    tokens: fc.integer({ min: 2, max: 300 }),
    alone: fc.boolean(),
    kind: fc.constantFrom("forward", "norms"),
    batchScale: fc.constant(1),
  });
  const queues = fc.record({
    interactive: fc.array(waitingRow, { maxLength: 40 }),
    bulk: fc.array(waitingRow, { maxLength: 40 }),
  });
  const options = { tokensMax: 512, sessionsIdle: 1, bulkPauseMs: 0, bulkPauseMsMax: 500 };

  function rows(count: number, tokens = 40): WaitingRow[] {
    return Array.from({ length: count }, () => ({ tokens, alone: false, kind: "forward", batchScale: 1 }));
  }

  it("answers null only where nothing waits", () => {
    fc.assert(
      fc.property(queues, (waiting) => {
        const nothing = waiting.interactive.length + waiting.bulk.length === 0;
        expect(planNextBatch(waiting, options) === null).toBe(nothing);
      }),
    );
  });

  it("always takes the first row of its priority, rows of one kind, and a suspect by itself", () => {
    fc.assert(
      fc.property(queues, (waiting) => {
        const planned = planNextBatch(waiting, options);
        if (planned === null) return;
        const taken = planned.rows.map((row) => waiting[planned.priority][row] as WaitingRow);
        expect(planned.rows).toContain(0);
        expect(new Set(taken.map(({ kind }) => kind)).size).toBe(1);
        if (taken.some(({ alone }) => alone)) expect(taken).toHaveLength(1);
      }),
    );
  });

  it("runs everything that waits in the end", () => {
    fc.assert(
      fc.property(queues, (waiting) => {
        const left = { interactive: [...waiting.interactive], bulk: [...waiting.bulk] };
        let batches = 0;
        for (let next = planNextBatch(left, options); next !== null; next = planNextBatch(left, options)) {
          const { priority, rows: taken } = next;
          left[priority] = left[priority].filter((_, row) => !taken.includes(row));
          batches += 1;
        }
        expect(left).toEqual({ interactive: [], bulk: [] });
        expect(batches).toBeLessThanOrEqual(waiting.interactive.length + waiting.bulk.length);
      }),
    );
  });

  it("takes interactive rows before bulk, and bulk after its pause", () => {
    const waiting = { interactive: rows(1), bulk: rows(100) };
    expect(planNextBatch(waiting, options)).toEqual({ priority: "interactive", rows: [0] });
    expect(planNextBatch(waiting, { ...options, bulkPauseMs: 501 })?.priority).toBe("bulk");
    expect(planNextBatch({ ...waiting, bulk: [] }, { ...options, bulkPauseMs: 501 })?.priority).toBe(
      "interactive",
    );
  });

  it("fills a batch from whatever runs the rows come", () => {
    expect(planNextBatch({ interactive: [], bulk: rows(100) }, options)?.rows).toHaveLength(12);
  });

  it("shares what is less than a batch for each among the idle sessions", () => {
    const waiting = { interactive: [], bulk: rows(10) };
    expect(planNextBatch(waiting, { ...options, sessionsIdle: 2 })?.rows).toHaveLength(5);
    expect(
      planNextBatch({ interactive: [], bulk: rows(100) }, { ...options, sessionsIdle: 2 })?.rows,
    ).toHaveLength(12);
    expect(planNextBatch({ interactive: rows(1), bulk: [] }, { ...options, sessionsIdle: 4 })?.rows).toEqual([
      0,
    ]);
  });

  it("takes no longer for a hundred thousand waiting rows than for the first thousand", () => {
    const planned = planNextBatch({ interactive: [], bulk: rows(100_000) }, options);
    expect(Math.max(...(planned?.rows ?? []))).toBeLessThan(1024);
  });
});
