import { expect, test } from "vitest";
import { selfTestBatches } from "../../../src/ranker/engine/session/self-test.js";
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
