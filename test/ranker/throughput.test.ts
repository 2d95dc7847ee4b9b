import { describe, expect, it } from "vitest";
import { createThroughput } from "../../src/ranker/throughput.js";

describe("the speed of all engines", () => {
  it("is unknown before the first batch", () => {
    expect(createThroughput(1).timeMsFor(100)).toBeNull();
  });

  it("counts what the cores that a batch did not have would do in the same time", () => {
    const all = createThroughput(2);
    all.observe(100, 10, 1);
    expect(all.timeMsFor(100)).toBe(5);
    const half = createThroughput(2);
    half.observe(100, 10, 0.5);
    expect(half.timeMsFor(100)).toBe(2.5);
  });

  it("follows the last batches, and takes nothing from one without a time", () => {
    const throughput = createThroughput(1);
    throughput.observe(100, 100, 1);
    throughput.observe(100, 0, 1);
    for (let batch = 0; batch < 100; batch++) throughput.observe(100, 50, 1);
    expect(throughput.timeMsFor(100)).toBeCloseTo(50, 0);
  });
});
