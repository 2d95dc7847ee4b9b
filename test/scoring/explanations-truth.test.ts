import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readModelFolder } from "../../src/ranker/model-folder.js";
import type { Caller, Ranker } from "../../src/ranker/port.js";
import { openRanker } from "../../src/ranker/ranker.js";
import { type Explained, explainSamples } from "../../src/scoring/explain/explain.js";
import type { Sample } from "../../src/scoring/requests/sample.js";
import { fakeRankers } from "../support/fake-rankers.js";
import { SHIPPED } from "../support/model.js";
import { rankerOptions } from "../support/ranker.js";

interface Case {
  readonly sample: Sample;
  readonly logit: number;
  readonly baseline: number;
  readonly contributions: readonly number[];
  readonly loss_contributions: readonly number[];
}

/** From Captum, in float64: test/oracle/attributions.py. */
const { cases }: { cases: readonly Case[] } = JSON.parse(
  readFileSync(new URL("../oracle/attributions.json", import.meta.url), "utf8"),
);
const patient: Caller = { signal: new AbortController().signal, deadlineAtMs: null };

function worst(found: readonly number[], expected: readonly number[]): number {
  expect(found).toHaveLength(expected.length);
  return Math.max(...found.map((value, index) => Math.abs(value - (expected[index] as number))));
}

describe("explanations by the shipped model, against Captum's integrated gradients", () => {
  let ranker: Ranker;
  let explained: readonly Explained[];
  beforeAll(async () => {
    ranker = openRanker(await readModelFolder(SHIPPED), rankerOptions());
    const rankers = {
      ...fakeRankers(),
      use: <T>(_: string, work: (one: Ranker) => Promise<T>) => work(ranker),
    };
    const answer = await explainSamples(rankers, { samples: cases.map(({ sample }) => sample) }, patient);
    expect(answer.method).toBe("integrated_gradients");
    explained = answer.samples;
  });
  afterAll(() => ranker.close());

  it("have the logits of the text and of the baseline", () => {
    for (const [index, { logits, way }] of explained.entries()) {
      const { logit, baseline } = cases[index] as Case;
      expect(logits[0]).toBeCloseTo(logit, 4);
      expect(way?.baselineLogits[0]).toBeCloseTo(baseline, 4);
    }
  });

  it("give each token what Captum gives it, as near as the sum says that they are", () => {
    for (const [index, { pieces, way }] of explained.entries()) {
      const { contributions, loss_contributions: ofLoss, logit, baseline } = cases[index] as Case;
      expect(way?.converged).toBe(true);
      const allowed = Math.max(0.02 * Math.abs(logit - baseline), 0.01);
      expect(way?.residual).toBeLessThanOrEqual(allowed);
      const found = pieces.map((piece) => piece.contributions[0] as number);
      expect(worst(found, contributions)).toBeLessThan(allowed);
      const loss = pieces.map((piece) => piece.lossContribution as number);
      expect(worst(loss, ofLoss)).toBeLessThan(allowed);
      expect(Math.max(...contributions.map(Math.abs))).toBeGreaterThan(5 * allowed);
    }
  });
});
