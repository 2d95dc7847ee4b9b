import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createTokenising } from "../../../src/ranker/engine/process/tokenising.js";
import type { RunPart } from "../../../src/ranker/engine/protocol.js";
import type { Priority } from "../../../src/ranker/plan.js";

function part(run: number, count: number, priority: Priority = "bulk"): RunPart {
  return {
    run,
    texts: Array.from({ length: count }, (_, i) => ({ first: `${i}`, second: null })),
    rows: Array.from({ length: count }, (_, i) => i),
    work: { graph: "forward", features: false, operand: null },
    coefficients: null,
    priority,
    alone: false,
  };
}

/** Tokenises with a function that takes `eachMs` a text; tells what went on, as [run, from, count]. */
function setUp({ eachMs = 0, fails = (_first: string): boolean => false } = {}) {
  const tokenised: [number, number, number][] = [];
  const failed: [number, string][] = [];
  const tokenising = createTokenising({
    tokenise({ first }) {
      const endMs = performance.now() + eachMs;
      while (performance.now() < endMs);
      if (fails(first)) throw new Error("no such character");
      return { ids: Int32Array.of(Number(first)), typeIds: new Uint8Array(1), truncated: false };
    },
    onTokenised: ({ run }, from, texts) => {
      expect(texts.map(({ ids }) => ids[0])).toEqual(texts.map((_, i) => from + i));
      tokenised.push([run, from, texts.length]);
    },
    onFailed: (run, reason) => failed.push([run, reason]),
  });
  return { tokenising, tokenised, failed };
}

describe("tokenising", () => {
  it("hands a run on whole, and a long one in parts", async () => {
    const { tokenising, tokenised } = setUp();
    tokenising.add(part(1, 10));
    tokenising.add(part(2, 1200));
    await delay(50);
    expect(tokenised).toEqual([
      [1, 0, 10],
      [2, 0, 512],
      [2, 512, 512],
      [2, 1024, 176],
    ]);
  });

  it("gives the thread free every few milliseconds", async () => {
    const { tokenising } = setUp({ eachMs: 1 });
    tokenising.add(part(1, 100));
    let longestMs = 0;
    let lastMs = performance.now();
    const endMs = lastMs + 80;
    while (lastMs < endMs) {
      await new Promise((resolve) => setImmediate(resolve));
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }
    expect(longestMs).toBeLessThan(50);
  });

  it("takes an interactive run before the rest of a bulk one", async () => {
    const { tokenising, tokenised } = setUp({ eachMs: 1 });
    tokenising.add(part(1, 30));
    tokenising.add(part(2, 2, "interactive"));
    await delay(150);
    expect(tokenised).toEqual([
      [2, 0, 2],
      [1, 0, 30],
    ]);
  });

  it("fails the run with a text that the tokenizer does not take, and goes on with the next", async () => {
    const { tokenising, tokenised, failed } = setUp({ fails: (first) => first === "7" });
    tokenising.add(part(1, 10));
    tokenising.add(part(2, 3));
    await delay(30);
    expect(failed).toEqual([[1, "tokenising failed: no such character"]]);
    expect(tokenised).toEqual([[2, 0, 3]]);
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
