import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readModelFolder } from "../../src/ranker/model-folder.js";
import type { Caller, Ranker } from "../../src/ranker/port.js";
import { openRanker } from "../../src/ranker/ranker.js";
import {
  casesOf,
  errorOf,
  type GradientCase,
  type OracleDirection,
  readGradientOracle,
  residualOf,
  textOf,
} from "../support/gradient-oracle.js";
import { readManifest, SHIPPED } from "../support/model.js";
import { rankerOptions } from "../support/ranker.js";

const patient: Caller = { signal: new AbortController().signal, deadlineAtMs: null };
const TOLERANCE = 1e-5;

/** 240 real pairs and the edges: cut texts, repeated tokens, empty ones; batched, so padded. */
const oracle = readGradientOracle();

describe("gradients of the shipped model, against PyTorch's autograd in float64", () => {
  let ranker: Ranker;
  beforeAll(async () => {
    const options = rankerOptions();
    ranker = openRanker(await readModelFolder(SHIPPED), options);
    expect(await ranker.settled()).toEqual({ status: "ready" });
  });
  afterAll(() => ranker.close());

  it("are of the weights that the oracle was made from", () => {
    expect(ranker.model.weightsDigest).toBe(oracle.weights_sha256);
  });

  it("have ‖∇z‖² and ‖∇z‖ within 1e-5 of each text's, and the logits of forward", async () => {
    const {
      logits,
      featureNormsSquared,
      gram: grams,
      truncated,
    } = await ranker.run(oracle.cases.map(textOf), { graph: "norms" }, patient);
    const errors = oracle.cases.map(({ id, logit, gram, features_squared }, index) => ({
      id,
      logit: Math.abs((logits[index] as number) - logit),
      features: Math.abs((featureNormsSquared[index] as number) / features_squared - 1),
      gram: Math.abs((grams as Float32Array)[index] as number) / gram - 1,
    }));
    expect(errors.filter(({ logit }) => !(logit < 1e-4))).toEqual([]);
    expect(errors.filter(({ features }) => !(features < TOLERANCE))).toEqual([]);
    expect(errors.filter(({ gram }) => !(Math.abs(gram) < TOLERANCE))).toEqual([]);
    expect(truncated.reduce((sum, cut) => sum + cut, 0)).toBe(4);
  });

  it("sum to the loss gradient of 40 pairs within 1e-5", async () => {
    const direction = oracle.directions.loss_gradient;
    await expectSum(direction, residualOf);
  });

  it("sum to the mean unit gradient E[I] within 1e-5", async () => {
    const direction = oracle.directions.mean_direction;
    await expectSum(direction, (one) => Math.sign(residualOf(one)) / Math.sqrt(one.gram));
  });

  /** The mean of coefficient · ∇z over the direction's samples is the oracle's vector. */
  async function expectSum(
    direction: OracleDirection,
    coefficientOf: (one: GradientCase) => number,
  ): Promise<void> {
    const cases = casesOf(oracle, direction);
    const accumulation = await ranker.accumulate();
    try {
      await accumulation.add(cases.map(textOf), Float32Array.from(cases, coefficientOf), patient);
      const vector = await accumulation.finish(1 / cases.length);
      expect(Math.abs(vector.norm / direction.norm - 1)).toBeLessThan(TOLERANCE);
      const { whole, worst, parameter } = errorOf(await readVector(vector), direction, sizes());
      expect(whole).toBeLessThan(TOLERANCE);
      expect(worst, `the error of ${parameter}`).toBeLessThan(TOLERANCE);
    } finally {
      await accumulation.release();
    }
  }
});

/** Elements by parameter. */
function sizes(): Record<string, number> {
  const { parameters } = readManifest(SHIPPED);
  return Object.fromEntries(parameters.map(({ name, shape }) => [name, shape.reduce((a, b) => a * b, 1)]));
}

/** The vector's bytes as float32; it comes in chunks of any size. */
async function readVector(vector: {
  readonly bytes: number;
  read(): AsyncIterable<Uint8Array>;
}): Promise<Float32Array> {
  const bytes = new Uint8Array(vector.bytes);
  let at = 0;
  for await (const chunk of vector.read()) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  expect(at).toBe(vector.bytes);
  return new Float32Array(bytes.buffer);
}
