import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { describe, expect, it, onTestFinished } from "vitest";
import type { LearnedDescription } from "../../src/ranker/port.js";
import { openRankers } from "../../src/ranker/rankers.js";
import { testApp } from "../support/app.js";
import { type FakeModel, fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postScore } from "../support/inject.js";
import { addLearned, readLearnedOracle } from "../support/learned.js";
import { chunksOf, copiesOfShipped, shiftedWeights, uploadOf } from "../support/model.js";
import { rankerOptions } from "../support/ranker.js";

const { cases } = readLearnedOracle();
const samples = cases.map(({ learned: _, ...sample }) => sample);

async function score(app: FastifyInstance, body: object) {
  const response = await postScore(app, body);
  return { status: response.statusCode, ...response.json() };
}

describe("learned of the shipped model", () => {
  async function served() {
    const models = copiesOfShipped("default");
    const rankers = await openRankers({
      modelsDirectory: models,
      defaultName: "default",
      pinned: [],
      weightsBytesMax: 2 ** 30,
      ranker: rankerOptions(),
      onReplacement: () => undefined,
      onFaulty: () => undefined,
    });
    onTestFinished(() => rankers.close());
    return { folder: join(models, "default"), rankers, app: await testApp({ rankers }) };
  }

  it("is what the trees say in Python, cold and from the cache, and adding it costs no cached output", async () => {
    const { app, folder, rankers } = await served();
    const losses = await score(app, { samples, signals: ["loss"] });
    expect(await score(app, { samples, signals: ["learned"] })).toMatchObject({
      status: 422,
      code: "unsuitable_signal",
      detail: expect.stringContaining("model default lacks (learned.onnx)"),
    });

    addLearned(folder);
    await rankers.reload("default");

    const again = await score(app, { samples, signals: ["loss"] });
    expect(again.model).toEqual(losses.model);
    expect(again.diagnostics.cache_hits).toBe(samples.length);
    const cold = await score(app, { samples, signals: ["learned"], weighting: null });
    expect(cold.diagnostics.cache_hits).toBe(0); // no features were kept yet
    const cached = await score(app, { samples, signals: ["learned"], weighting: null });
    expect(cached.diagnostics.cache_hits).toBe(samples.length);
    for (const [index, { learned }] of cases.entries()) {
      expect(cold.results[index].learned).toBeCloseTo(learned, 5);
      expect(cached.results[index].learned).toBe(cold.results[index].learned);
    }
    expect(cold.results[0]).not.toHaveProperty("loss");
  });

  it("stays with new weights, and both the model and each answer say that it is of the old ones", async () => {
    const { app, folder, rankers } = await served();
    addLearned(folder); // PUT weights reads the folder again
    await rankers.replaceWeights("default", chunksOf(uploadOf(shiftedWeights(folder, 0.5))));
    const { learned, version } = (await app.inject("/v1/models/default")).json();
    expect(learned).toMatchObject({ target: "gain", loss: "bce", stale: true });
    expect(learned.model_version).not.toBe(version);
    expect(learned.held_out.scores.learned.spearman.value).toBeGreaterThan(0.5);
    const { status, diagnostics } = await score(app, { samples, signals: ["learned"], weighting: null });
    expect(status).toBe(200);
    expect(diagnostics.advice.join()).toContain(`learned was trained on version ${learned.model_version}`);
  });
});

describe("learned of a request", () => {
  const trees: LearnedDescription = {
    target: "influence",
    loss: "bce",
    inputs: {
      features: 4,
      signals: ["loss", "grad_norm"],
      extras: [
        { name: "price", optional: false },
        { name: "clicks", optional: true },
      ],
    },
    modelVersion: "0123456789abcdef",
    heldOut: {},
    provenance: {},
  };
  const sample = { query: "usb", document: "cable", label: 1, extras: { price: 2, clicks: 3, colour: 9 } };

  async function appWith(learned: LearnedDescription, model: FakeModel = {}) {
    const ranker = fakeRanker({ ...model, learned });
    return { ranker, app: await testApp({ rankers: fakeRankers(ranker) }) };
  }

  it("reads features, signals and extras in the manifest's order, from one run of the graph that gives all", async () => {
    const { app, ranker } = await appWith(trees);
    const bare = { ...sample, document: "mouse", extras: { price: 5 } };
    const asked = { samples: [sample, bare], signals: ["learned", "loss", "grad_norm"], weighting: null };
    const { results } = await score(app, asked);
    expect(ranker.wanted).toEqual([{ graph: "norms", asked: ["features"] }]);
    const [matrix] = ranker.matrices;
    for (const [row, extras] of [
      [0, [2, 3]],
      [1, [5, Number.NaN]],
    ] as const) {
      const [f0, f1, f2, f3, loss, gradNorm, ...rest] = (matrix as Float32Array).slice(row * 8, row * 8 + 8);
      expect(new Set([f0, f1, f2, f3]).size).toBe(1);
      expect(loss).toBeCloseTo(results[row].loss, 5);
      expect(gradNorm).toBeCloseTo(results[row].grad_norm, 5);
      expect(rest).toEqual(extras);
    }
    const sum = (matrix as Float32Array).slice(0, 8).reduce((total, value) => total + value, 0);
    expect(results[0].learned).toBeCloseTo(sum, 5);
  });

  it("asks for an extra that is called as what every object has", async () => {
    const inputs = { features: 0, signals: ["entropy"], extras: [{ name: "constructor", optional: false }] };
    const { app } = await appWith({ ...trees, inputs });
    const { status, faults } = await score(app, { samples: [sample], signals: ["learned"] });
    expect([status, faults[0].path]).toEqual([422, "/samples/0/extras/constructor"]);
  });

  it("runs the forward graph alone where the trees read no more", async () => {
    const inputs = { features: 0, signals: ["entropy"], extras: [] };
    const { app, ranker } = await appWith({ ...trees, inputs });
    const unlabelled = { query: "usb", document: "cable" };
    const { status, results } = await score(app, { samples: [unlabelled], signals: ["learned"] });
    expect(status).toBe(200);
    expect(results[0].learned).toBeTypeOf("number");
    expect(ranker.wanted).toEqual([{ graph: "forward", precision: "fp32", asked: [] }]);
  });

  it("weighs a batch by rank and is remembered with a dataset", async () => {
    const { app } = await appWith(trees);
    const batch = ["a", "b", "c"].map((id, index) => ({ ...sample, id, extras: { price: index * 100 } }));
    const weighting = { signal: "learned", scheme: "rank" };
    const { results } = await score(app, { dataset: "d", samples: batch, signals: ["learned"], weighting });
    expect(results[2].weight).toBeGreaterThan(results[0].weight);
    const kept = (await app.inject("/v1/datasets/d/samples/c")).json();
    expect(kept.learned).toBeCloseTo(results[2].learned, 3);
  });

  it.each([
    [
      "lacks an extra that trees need",
      { samples: [{ ...sample, extras: { clicks: 1 } }] },
      "invalid_sample",
      /^\/samples\/0\/extras\/price is required/,
    ],
    [
      "has no label for a signal that trees read",
      { samples: [{ ...sample, label: null }] },
      "missing_label",
      /^\/samples\/0\/label loss needs a label/,
    ],
    [
      "is of another loss",
      { samples: [sample], loss: "mse" },
      "unsuitable_signal",
      /read signals of the loss bce, not of mse/,
    ],
    [
      "asks for int8",
      { samples: [sample], precision: "int8" },
      "unsuitable_precision",
      /trees of learned read fp32/,
    ],
    [
      "weighs by it where a signal may not be negative",
      { samples: [sample], weighting: { signal: "learned", scheme: "proportional" } },
      "unsuitable_weighting",
      /learned/,
    ],
    [
      "estimates gradients",
      { samples: [sample], signals: ["learned", "grad_norm"], exact_fraction: 0.5 },
      "unsuitable_signal",
      /learned reads more/,
    ],
  ])("is refused where the request %s", async (_, body, code, detail) => {
    const { app, ranker } = await appWith(trees);
    const answer = await score(app, { signals: ["learned"], weighting: null, ...body });
    expect(answer).toMatchObject({ status: 422, code, detail: expect.stringMatching(detail) });
    expect(ranker.ran).toEqual([]);
  });

  it.each([
    ["a signal that needs a direction", "influence", /read influence, which this service cannot give them/],
    ["a signal that this service does not know", "vibes", /read vibes, which this service cannot give them/],
  ])("is refused where the trees read %s", async (_, signal, detail) => {
    const { app } = await appWith({ ...trees, inputs: { ...trees.inputs, signals: [signal] } });
    expect(await score(app, { samples: [sample], signals: ["learned"] })).toMatchObject({
      status: 422,
      code: "unsuitable_signal",
      detail: expect.stringMatching(detail),
    });
  });

  it("is refused where the trees read gradients and the model has none", async () => {
    const { app } = await appWith(trees, { gradientGraphs: [] });
    expect(await score(app, { samples: [sample], signals: ["learned"] })).toMatchObject({
      status: 422,
      code: "unsuitable_signal",
      detail: expect.stringMatching(/grad_norm needs the graph norms/),
    });
  });
});
