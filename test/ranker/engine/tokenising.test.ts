import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import type { Priority } from "../../../src/ranker/batch-planner.js";
import { createTokenising } from "../../../src/ranker/engine/process/tokenising.js";
import type { RunPart } from "../../../src/ranker/engine/protocol.js";

function part(run: number, count: number, priority: Priority = "bulk", characters = 1): RunPart {
  return {
    run,
    texts: Array.from({ length: count }, (_, i) => ({
      first: `${i}`.padEnd(characters, " x"),
      second: null,
    })),
    rows: Array.from({ length: count }, (_, i) => i),
    work: { graph: "forward", asked: [], operand: null },
    coefficients: null,
    priority,
    alone: false,
  };
}

/** Waits until a check holds. Only a hang should end the wait: vitest's own limit is a second. */
const soon = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 60_000 });

/** Tokenises with a function that takes `eachMs` a text, in the background; tells what went on, as [run, from, count]. */
function setUp({ eachMs = 0, fails = (_first: string): boolean => false } = {}) {
  const tokenised: [number, number, number][] = [];
  const failed: [number, string][] = [];
  const slices: number[] = [];
  const tokenising = createTokenising({
    async tokenise(texts) {
      slices.push(texts.length);
      if (eachMs > 0) await delay(eachMs * texts.length);
      return texts.map(({ first }) => {
        if (fails(first)) throw new Error("no such character");
        return {
          ids: Int32Array.of(Number.parseInt(first, 10)),
          typeIds: new Uint8Array(1),
          truncated: false,
        };
      });
    },
    onTokenised: ({ run }, from, texts) => {
      expect(texts.map(({ ids }) => ids[0])).toEqual(texts.map((_, i) => from + i));
      tokenised.push([run, from, texts.length]);
    },
    onFailed: (run, reason) => failed.push([run, reason]),
  });
  return { tokenising, tokenised, failed, slices };
}

describe("tokenising", () => {
  it("hands a run on whole, and a long one in parts", async () => {
    const { tokenising, tokenised } = setUp();
    tokenising.add(part(1, 10));
    tokenising.add(part(2, 1200));
    await soon(() =>
      expect(tokenised).toEqual([
        [1, 0, 10],
        [2, 0, 512],
        [2, 512, 512],
        [2, 1024, 176],
      ]),
    );
  });

  it("gives the thread free after every slice", async () => {
    const { tokenising, slices } = setUp();
    tokenising.add(part(1, 640));
    for (let turn = 1; turn <= 10; turn++) {
      expect(slices.length).toBeLessThanOrEqual(turn);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await soon(() => expect(slices.length).toBe(10));
  });

  it("takes an interactive run before the rest of a bulk one", async () => {
    const { tokenising, tokenised } = setUp({ eachMs: 1 });
    tokenising.add(part(1, 30));
    tokenising.add(part(2, 2, "interactive"));
    await soon(() =>
      expect(tokenised).toEqual([
        [2, 0, 2],
        [1, 0, 30],
      ]),
    );
  });

  it("fails the run with a text that the tokenizer does not take, and goes on with the next", async () => {
    const { tokenising, tokenised, failed } = setUp({ fails: (first) => first === "7" });
    tokenising.add(part(1, 10));
    tokenising.add(part(2, 3));
    await soon(() => expect(tokenised).toEqual([[2, 0, 3]]));
    expect(failed).toEqual([[1, "Tokenising failed: no such character"]]);
  });

  it("tokenises at once as many texts as cost little, and a long one alone", async () => {
    const { tokenising, slices } = setUp();
    tokenising.add(part(1, 100));
    tokenising.add(part(2, 10, "bulk", 2000));
    tokenising.add(part(3, 2, "interactive", 100_000));
    await soon(() => expect(slices.sort((a, b) => b - a)).toEqual([64, 36, 4, 4, 2, 1, 1]));
  });

  it("lets neither priority wait for the long texts of its own", async () => {
    for (const priority of ["interactive", "bulk"] as const) {
      const { tokenising, tokenised } = setUp({ eachMs: 5 });
      tokenising.add(part(1, 30, priority, 100_000));
      tokenising.add(part(2, 2, priority));
      await soon(() =>
        expect(tokenised).toEqual([
          [2, 0, 2],
          [1, 0, 30],
        ]),
      );
    }
  });

  it("is busy until the last run is done with", async () => {
    const { tokenising } = setUp({ eachMs: 1 });
    expect(tokenising.busy()).toBe(false);
    tokenising.add(part(1, 3));
    expect(tokenising.busy()).toBe(true);
    await soon(() => expect(tokenising.busy()).toBe(false));
  });

  it("forgets a run that was cancelled", async () => {
    const { tokenising, tokenised } = setUp({ eachMs: 1 });
    tokenising.add(part(1, 50));
    await new Promise((resolve) => setImmediate(resolve));
    tokenising.cancel(1);
    await delay(100);
    expect(tokenised).toEqual([]);
  });
});
