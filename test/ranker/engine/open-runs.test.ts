import { describe, expect, it } from "vitest";
import { createFatalTexts, type FatalTexts } from "../../../src/ranker/engine/host/fatal-texts.js";
import { createOpenRuns, type OpenRuns } from "../../../src/ranker/engine/host/open-runs.js";
import type { BatchPart } from "../../../src/ranker/engine/protocol.js";
import type { Outputs, Text } from "../../../src/ranker/port.js";

const texts: readonly Text[] = Array.from({ length: 4 }, (_, i) => ({ first: `text ${i}`, second: null }));

function add(runs: OpenRuns, of: readonly Text[] = texts): { run: number; outputs: Promise<Outputs> } {
  return runs.add({
    texts: of,
    work: { graph: "forward", asked: [], operand: null },
    coefficients: null,
    priority: "bulk",
    tokens: new Float64Array(of.length).fill(8),
  });
}

function newRuns(fatalTexts: FatalTexts = createFatalTexts()): OpenRuns {
  return createOpenRuns({ fatalTexts, onTokenised: () => undefined, onQueue: () => undefined });
}

function tokenise(runs: OpenRuns, run: number, rows: readonly number[], tokens = 10): void {
  const count = rows.length;
  runs.receive({
    type: "tokenised",
    run,
    rows,
    tokens: new Int32Array(count).fill(tokens),
    truncated: new Uint8Array(count),
  });
}

function start(runs: OpenRuns, batch: number, ...parts: readonly BatchPart[]): void {
  runs.receive({ type: "started", batch, parts });
}

/** Finishes a batch; each row's logit is its number. */
function finish(runs: OpenRuns, batch: number, ...parts: readonly BatchPart[]): void {
  runs.receive({
    type: "finished",
    batch,
    parts: parts.map(({ run, rows }) => ({
      run,
      rows,
      outputs: {
        logits: Float32Array.from(rows),
        featureNormsSquared: Float32Array.from(rows, (row) => row + 0.5),
      },
    })),
    facts: { rows: 1, tokens: 1, paddedTokens: 1, cost: 1, coresShare: 1, inferMs: 1 },
  });
}

describe("the runs of an engine process", () => {
  it("puts the rows of a run together from batches in any order", async () => {
    const runs = newRuns();
    const { run, outputs } = add(runs);
    tokenise(runs, run, [0, 1, 2, 3]);
    start(runs, 1, { run, rows: [3, 0] });
    start(runs, 2, { run, rows: [1, 2] });
    finish(runs, 2, { run, rows: [1, 2] });
    finish(runs, 1, { run, rows: [3, 0] });
    expect([...(await outputs).logits]).toEqual([0, 1, 2, 3]);
    expect([...(await outputs).featureNormsSquared]).toEqual([0.5, 1.5, 2.5, 3.5]);
    expect(runs.size()).toBe(0);
  });

  it("counts the tokens that wait: guessed, then counted, then gone", () => {
    const runs = newRuns();
    const { run } = add(runs);
    expect(runs.tokens()).toBe(4 * 8);
    tokenise(runs, run, [0, 1], 10);
    expect(runs.tokens()).toBe(2 * 8 + 2 * 10);
    start(runs, 1, { run, rows: [0] });
    finish(runs, 1, { run, rows: [0] });
    expect(runs.tokens()).toBe(2 * 8 + 10);
  });

  it("leaves to the next process what the last one had not finished, the rows in a session alone", () => {
    const runs = newRuns();
    const { run } = add(runs);
    tokenise(runs, run, [0, 1, 2, 3]);
    start(runs, 1, { run, rows: [0] });
    finish(runs, 1, { run, rows: [0] });
    start(runs, 2, { run, rows: [1, 2] });
    runs.crashed({ killed: false });
    expect(runs.left()).toMatchObject([
      { run, rows: [3], alone: false, texts: [texts[3]] },
      { run, rows: [1, 2], alone: true },
    ]);
  });

  it("refuses a text that ends the process a second time, alone, by its place, and remembers it", async () => {
    const fatalTexts = createFatalTexts();
    const runs = newRuns(fatalTexts);
    const guilty = add(runs);
    const other = add(runs, texts.slice(0, 1));
    for (const { run } of [guilty, other]) tokenise(runs, run, [0]);
    start(runs, 1, { run: guilty.run, rows: [0, 1, 2] }, { run: other.run, rows: [0] });
    runs.crashed({ killed: false });
    start(runs, 2, { run: guilty.run, rows: [2] });
    runs.crashed({ killed: false });
    await expect(guilty.outputs).rejects.toMatchObject({
      code: "text_refused",
      faults: [{ sample: 2, path: "" }],
    });
    start(runs, 3, { run: other.run, rows: [0] });
    finish(runs, 3, { run: other.run, rows: [0] });
    expect((await other.outputs).logits).toHaveLength(1);
    expect(() => fatalTexts.check([texts[0] as Text, texts[2] as Text])).toThrow(
      expect.objectContaining({
        code: "text_refused",
        faults: [expect.objectContaining({ sample: 1, path: "" })],
      }),
    );
    expect(() => fatalTexts.check(texts.slice(0, 2))).not.toThrow();
  });

  it("does not refuse a text for one kill from outside, and does for the second", async () => {
    const runs = newRuns();
    const { run, outputs } = add(runs);
    tokenise(runs, run, [0]);
    start(runs, 1, { run, rows: [0, 1] });
    runs.crashed({ killed: true });
    start(runs, 2, { run, rows: [0] });
    runs.crashed({ killed: true });
    expect(runs.left().at(-1)).toMatchObject({ rows: [0, 1], alone: true });
    start(runs, 3, { run, rows: [1] });
    runs.crashed({ killed: true });
    expect(runs.size()).toBe(1);
    start(runs, 4, { run, rows: [1] });
    runs.crashed({ killed: true });
    await expect(outputs).rejects.toMatchObject({ code: "text_refused", faults: [{ sample: 1, path: "" }] });
  });

  it("runs the rows of a batch that failed again, each alone, and names the one that fails alone", async () => {
    const runs = newRuns();
    const { run, outputs } = add(runs);
    tokenise(runs, run, [0, 1, 2, 3]);
    start(runs, 1, { run, rows: [0, 1] });
    const again = runs.receive({ type: "batch_failed", batch: 1, reason: "out of range", of: "rows" });
    expect(again).toMatchObject([{ run, rows: [0, 1], alone: true }]);
    start(runs, 2, { run, rows: [1] });
    expect(runs.receive({ type: "batch_failed", batch: 2, reason: "out of range", of: "rows" })).toEqual([]);
    await expect(outputs).rejects.toMatchObject({
      code: "engine_failed",
      message: expect.stringContaining("out of range"),
      faults: [{ sample: 1, path: "" }],
    });
    expect(runs.tokens()).toBe(0);
  });

  it("gives a run up under whose tokenising the process ended twice", async () => {
    const runs = newRuns();
    const { outputs } = add(runs);
    runs.crashed({ killed: false });
    expect(runs.left()).toHaveLength(1);
    runs.crashed({ killed: false });
    await expect(outputs).rejects.toMatchObject({ code: "engine_failed" });
  });

  it("forgets a rejected run, also when its batch finishes later", async () => {
    const runs = newRuns();
    const { run, outputs } = add(runs);
    tokenise(runs, run, [0, 1, 2, 3]);
    start(runs, 1, { run, rows: [0, 1] });
    const { AssayError } = await import("../../../src/errors.js");
    runs.reject(run, new AssayError("cancelled"));
    finish(runs, 1, { run, rows: [0, 1] });
    await expect(outputs).rejects.toMatchObject({ code: "cancelled" });
    expect(runs.tokens()).toBe(0);
    expect(runs.left()).toEqual([]);
  });

  it("splits the time of a run into its three stages without a rest", async () => {
    const runs = newRuns();
    const startedAtMs = performance.now();
    const { run, outputs } = add(runs, texts.slice(0, 1));
    const addedAtMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(runs.left(run)).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 10)); // for a direction, say
    runs.sent(run);
    await new Promise((resolve) => setTimeout(resolve, 20));
    tokenise(runs, run, [0]);
    await new Promise((resolve) => setTimeout(resolve, 30));
    start(runs, 1, { run, rows: [0] });
    await new Promise((resolve) => setTimeout(resolve, 40));
    const finishingAtMs = performance.now();
    finish(runs, 1, { run, rows: [0] });
    const finishedAtMs = performance.now();
    const { tokeniseMs, queueMs, inferMs } = (await outputs).timings;
    // The run's own clock starts within add and ends within finish.
    expect(tokeniseMs + queueMs + inferMs).toBeGreaterThanOrEqual(finishingAtMs - addedAtMs - 1e-6);
    expect(tokeniseMs + queueMs + inferMs).toBeLessThanOrEqual(finishedAtMs - startedAtMs + 1e-6);
    expect(tokeniseMs).toBeGreaterThanOrEqual(19);
    expect(queueMs).toBeGreaterThanOrEqual(29 + 19);
    expect(inferMs).toBeGreaterThanOrEqual(39);
  });
});
