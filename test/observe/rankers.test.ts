import { describe, expect, it } from "vitest";
import { createMetrics } from "../../src/observe/metrics.js";
import { observeMemory } from "../../src/observe/rankers.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";

describe("the metric of the engines' memory", () => {
  it("has a value for each model that runs, and none for the others", async () => {
    const metrics = createMetrics();
    const [first, second] = [fakeRanker(), fakeRanker({ name: "second" })];
    observeMemory(metrics, fakeRankers(first, second));
    const lines = async (): Promise<string[]> =>
      (await metrics.registry.metrics()).split("\n").filter((line) => /^assay_engine_memory/.test(line));
    expect(await lines()).toEqual([
      'assay_engine_memory_bytes{model="default"} 300000000',
      'assay_engine_memory_bytes{model="second"} 300000000',
    ]);
    first.setState({ status: "loading", reason: "it died" });
    expect(await lines()).toEqual(['assay_engine_memory_bytes{model="second"} 300000000']);
  });
});
