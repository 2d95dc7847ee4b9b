import { describe, expect, test } from "vitest";
import {
  type Closeness,
  checkSelfTest,
  closenessOf,
  selfTestBatches,
} from "../../../src/ranker/engine/session/self-test.js";
import type { Manifest } from "../../../src/ranker/manifest.js";
import type { TokenisedText } from "../../../src/ranker/tokeniser.js";
import { readManifest, SHIPPED } from "../../support/model.js";

const folder = { directory: SHIPPED, manifest: readManifest(SHIPPED) };
const rowOf = (tokens: number): TokenisedText => ({
  ids: new Int32Array(tokens).fill(1),
  typeIds: new Uint8Array(tokens),
  truncated: false,
});

test("a self-test runs every sample once, in batches of the planner's size", () => {
  const lengths = Array.from({ length: 64 }, (_, index) => (index % 3 === 0 ? 256 : 10 + index));
  const batches = selfTestBatches(folder, lengths.map(rowOf), {
    device: { kind: "cpu" },
    tokensMax: 512,
    brief: false,
  });
  expect(batches.flatMap(({ samples }) => [...samples]).sort((a, b) => a - b)).toEqual([...lengths.keys()]);
  for (const { batch, samples } of batches) {
    expect(batch.shape[0] * batch.shape[1]).toBeLessThanOrEqual(512);
    expect(batch.shape).toEqual([samples.length, Math.max(...samples.map((s) => lengths[s] as number))]);
  }
});

test("a brief one leaves long rows out, and takes the shortest where all are long", () => {
  const samplesOf = (...lengths: readonly number[]): number[] =>
    selfTestBatches(folder, lengths.map(rowOf), {
      device: { kind: "cpu" },
      tokensMax: 64,
      brief: true,
    }).flatMap(({ samples }) => [...samples]);
  expect(samplesOf(64, 65, 20, 256).sort()).toEqual([0, 2]);
  expect(samplesOf(200, 100, 300)).toEqual([1]);
});

describe("logits beside the manifest's", () => {
  const { samples } = folder.manifest.self_test;
  const all = [...samples.keys()];
  const logits = samples.map((sample) => sample.logits[0] as number);
  const check = (found: readonly number[], closeness: Closeness, precision: object = {}, task = "binary") =>
    checkSelfTest(
      { ...folder, manifest: { ...folder.manifest, precision, task } as Manifest },
      all,
      Float32Array.from(found),
      closeness,
    );
  const shifted = (by: number) => logits.map((logit, s) => (s === 1 ? logitOf(sigmoid(logit) - by) : logit));
  const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
  const logitOf = (p: number) => Math.log(p / (1 - p));
  const likely = sigmoid(logits[1] as number);

  test("of fp32 on the CPU are held to the tolerance, those of a GPU are only finite", () => {
    const off = logits.map((logit, s) => (s === 1 ? logit + 0.002 : logit));
    expect(() => check(logits, "exact")).not.toThrow();
    expect(() => check(off, "exact")).toThrow(/sample 1 should have the logit .* \(tolerance 0\.001\)/);
    expect(() => check(off, "finite")).not.toThrow();
    expect(() => check([Number.NaN, ...logits.slice(1)], "finite")).toThrow(/sample 0 .* has NaN/);
    expect(() => check(logits.slice(1), "finite")).toThrow(/sample \d has|sample \d should have/);
  });

  test("of int8 may shift a probability by twice what the export found, and the message says what to do", () => {
    const found = { int8: { spearman: 0.99, probability_shift_max: 0.12 } };
    expect(likely).toBeGreaterThan(0.6);
    expect(() => check(shifted(0.23), "int8", found)).not.toThrow();
    expect(() => check(shifted(0.25), "int8", found)).toThrow(
      /sample 1 shifts a probability by 0\.250 in int8, and at most 0\.240 .* VNNI.* precision fp32/,
    );
    expect(() => check(shifted(0.09), "int8", { int8: { probability_shift_max: 0.001 } })).not.toThrow();
    expect(() => check(shifted(0.11), "int8", { int8: { probability_shift_max: 0.001 } })).toThrow(/0\.110/);
  });

  test("of int8 have a wide limit where the manifest lacks the figure, and none for a regression", () => {
    expect(() => check(shifted(0.24), "int8")).not.toThrow();
    expect(() => check(shifted(0.26), "int8")).toThrow(/at most 0\.250/);
    expect(() => check(shifted(0.5), "int8", {}, "regression")).not.toThrow();
  });

  test("a graph is held to what its device and number format can reach", () => {
    expect(closenessOf("forward", { kind: "cpu" })).toBe("exact");
    expect(closenessOf("norms", { kind: "cpu" })).toBe("exact");
    expect(closenessOf("forward.int8", { kind: "cpu" })).toBe("int8");
    expect(closenessOf("forward", { kind: "cuda", index: 0 })).toBe("finite");
  });
});
