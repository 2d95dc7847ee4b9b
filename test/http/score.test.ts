import { describe, expect, it } from "vitest";
import { scoreAnswerSchema } from "../../src/http/schemas/score.js";
import { brokenStore, testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postScore } from "../support/inject.js";

const samples = [
  { id: "a", query: "usb c cable", document: "USB-C charging cable, 2 m", label: 1 },
  { id: "b", query: "usb c cable", document: "Garden chair", label: 0 },
  { id: "c", query: "usb c cable", document: "HDMI cable", label: 0 },
];

describe("POST /v1/score", () => {
  it("answers 200 with loss, grad_norm_last and a weight for each sample, in their order", async () => {
    const app = await testApp();
    const response = await postScore(app, { samples });
    expect(response.statusCode).toBe(200);
    const answer = scoreAnswerSchema.parse(response.json());
    expect(answer.model).toEqual({ name: "default", version: "0123456789abcdef" });
    expect(answer.results.map(({ id }) => id)).toEqual(["a", "b", "c"]);
    for (const [index, { logit, probability, loss, weight }] of answer.results.entries()) {
      expect(probability).toBeCloseTo(1 / (1 + Math.exp(-(logit as number))), 12);
      const p = samples[index]?.label === 1 ? (probability as number) : 1 - (probability as number);
      expect(loss).toBeCloseTo(-Math.log(p), 9);
      expect(weight).toBeGreaterThan(0);
    }
    expect(answer.results.reduce((sum, { weight }) => sum + (weight ?? 0), 0)).toBeCloseTo(1, 12);
    expect(answer.diagnostics.effective_sample_size).toBeGreaterThan(1);
  });

  it("answers the stages of the work in Server-Timing", async () => {
    const app = await testApp();
    const { headers } = await postScore(app, { samples });
    expect(headers["server-timing"]).toMatch(
      /^receive;dur=[\d.]+, parse;.*validate;.*cache;.*tokenise;.*queue;.*infer;.*ipc;.*signals;.*weigh;.*serialise;.*total;/,
    );
  });

  it("runs a text once, however often it stands in the batch or comes again", async () => {
    const ranker = fakeRanker();
    const app = await testApp({ rankers: fakeRankers(ranker) });
    const twice = [...samples, { ...samples[0], id: "a again", label: 0 }];
    const first = await postScore(app, { samples: twice });
    expect(ranker.ran).toHaveLength(3);
    expect(first.json().diagnostics.cache_hits).toBe(0);
    const again = await postScore(app, { samples: twice });
    expect(ranker.ran).toHaveLength(3);
    expect(again.json().results.every(({ cached }: { cached: boolean }) => cached)).toBe(true);
    expect(again.json().diagnostics.cache_hits).toBe(4);
  });

  it("runs no model when only the label changes", async () => {
    const ranker = fakeRanker();
    const app = await testApp({ rankers: fakeRankers(ranker) });
    await postScore(app, { samples });
    const relabelled = samples.map((sample) => ({ ...sample, label: 1 - sample.label }));
    const answer = await postScore(app, { samples: relabelled });
    expect(ranker.ran).toHaveLength(3);
    expect(answer.json().results[0].loss).toBeCloseTo(-Math.log(1 - answer.json().results[0].probability), 6);
  });

  it("keeps a pair apart from the single text that it would join to", async () => {
    const ranker = fakeRanker();
    const app = await testApp({ rankers: fakeRankers(ranker) });
    const alike = [
      { query: "ab", document: "c" },
      { query: "a", document: "bc" },
      { text: "abc" },
      { query: "abc", document: "" },
    ];
    await postScore(app, { samples: alike });
    expect(ranker.ran).toHaveLength(4);
  });

  it("gives unlabelled samples what needs no label, and no weights", async () => {
    const app = await testApp();
    const payload = { samples: samples.map(({ label: _, ...sample }) => sample) };
    const { results, diagnostics } = (await postScore(app, payload)).json();
    expect(Object.keys(results[0])).toEqual([
      "id",
      "logit",
      "probability",
      "entropy",
      "weight",
      "cached",
      "truncated",
    ]);
    expect(results[0].weight).toBeNull();
    expect(diagnostics.advice[0]).toMatch(/3 of 3 samples have no label/);
  });

  it("gives each sample of a mixed batch what its label allows", async () => {
    const app = await testApp();
    const payload = { samples: [samples[0], { id: "d", query: "usb c cable", document: "USB hub" }] };
    const { results } = (await postScore(app, payload)).json();
    expect(results[0]).toHaveProperty("loss");
    expect(results[1]).not.toHaveProperty("loss");
    expect(results[1]).toHaveProperty("entropy");
  });

  it("advises a label-free signal that has a meaning under the loss", async () => {
    const app = await testApp();
    for (const [loss, signal] of [
      ["bce", "entropy"],
      ["pairwise", "sensitivity"],
    ] as const) {
      const samples = [{ text: "usb cable", group: "q" }];
      const body = { loss, samples };
      const { diagnostics } = (await postScore(app, body)).json();
      expect(diagnostics.advice[0]).toContain(`such as ${signal}.`);
      const weighting = { signal, scheme: "proportional" };
      const payload = { ...body, weighting };
      expect((await postScore(app, payload)).statusCode).toBe(200);
    }
  });

  it("weighs unlabelled samples by a label-free signal", async () => {
    const app = await testApp();
    const payload = {
      samples: samples.map(({ label: _, ...sample }) => sample),
      weighting: { signal: "entropy", scheme: "softmax", temperature: 0.5, normalise: "mean" },
    };
    const { results } = (await postScore(app, payload)).json();
    const total = results.reduce((sum: number, { weight }: { weight: number }) => sum + weight, 0);
    expect(total / results.length).toBeCloseTo(1, 12);
  });

  it("answers draw probabilities with their multipliers 1/(N p)", async () => {
    const app = await testApp();
    const weighting = { signal: "loss", scheme: "proportional", role: "probability" };
    const { results } = (await postScore(app, { samples, weighting })).json();
    for (const { weight, multiplier } of results) expect(multiplier).toBeCloseTo(1 / (3 * weight), 9);
  });

  it("multiplies weights by a base and by inverse class frequency", async () => {
    const app = await testApp();
    const based = samples.map((sample, index) => ({ ...sample, extras: { impressions: 10 * index } }));
    const weigh = async (weighting: object): Promise<number[]> => {
      const { results } = (await postScore(app, { samples: based, weighting })).json();
      return results.map(({ weight }: { weight: number }) => weight);
    };
    const uniform = { signal: "loss", scheme: "uniform" };
    const close = (expected: readonly number[]) => expected.map((weight) => expect.closeTo(weight, 12));
    expect(await weigh({ ...uniform, base: "impressions" })).toEqual(close([0, 1 / 3, 2 / 3]));
    expect(await weigh({ ...uniform, balance: true })).toEqual(close([1 / 2, 1 / 4, 1 / 4]));
    expect(await weigh({ ...uniform, base: "impressions", balance: true })).toEqual(close([0, 1 / 3, 2 / 3]));
    expect(await weigh({ ...uniform, base: null, balance: false })).toEqual(close([1 / 3, 1 / 3, 1 / 3]));
  });

  it("balances the classes of a model with several", async () => {
    const app = await testApp({ rankers: fakeRankers(fakeRanker({ task: "classification", classes: 3 })) });
    const texts = ["late parcel", "refund", "no answer"].map((text, index) => ({ text, label: index && 2 }));
    const weighting = { signal: "loss", scheme: "uniform", balance: true, normalise: "mean" };
    const { results } = (await postScore(app, { samples: texts, weighting })).json();
    expect(results.map(({ weight }: { weight: number }) => weight)).toEqual([1.5, 0.75, 0.75]);
  });

  it("answers no weight where the weighting is null", async () => {
    const app = await testApp();
    const answer = (await postScore(app, { samples, weighting: null })).json();
    expect(answer.results[0].weight).toBeNull();
    expect(answer.diagnostics.tau).toBeNull();
  });

  it("answers logits and probabilities as lists for a model with several classes", async () => {
    const app = await testApp({ rankers: fakeRankers(fakeRanker({ task: "classification", classes: 3 })) });
    const payload = {
      samples: [
        { text: "late parcel", label: 2 },
        { text: "refund", label: [0.2, 0.3, 0.5] },
      ],
      signals: ["loss", "el2n", "confidence"],
    };
    const { results } = scoreAnswerSchema.parse((await postScore(app, payload)).json());
    const [{ logits, probabilities = [], confidence } = {}] = results;
    expect(logits).toHaveLength(3);
    expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(confidence).toBeCloseTo(probabilities[2] as number, 12);
    expect(results[0]).not.toHaveProperty("logit");
  });

  it("scores without a dataset while the store is down, uncached, and says so", async () => {
    const app = await testApp({ store: brokenStore() });
    const response = await postScore(app, { samples });
    expect(response.statusCode).toBe(200);
    expect(response.json().diagnostics.advice.join()).toMatch(/store does not answer/);
  });

  it("answers 503 store_unavailable with a dataset while the store is down", async () => {
    const app = await testApp({ store: brokenStore() });
    const response = await app.inject({
      method: "POST",
      url: "/v1/score",
      payload: { samples, dataset: "d" },
    });
    expect(response.statusCode).toBe(503);
    expect(response.json().code).toBe("store_unavailable");
    expect(response.headers["retry-after"]).toBeDefined();
  });
});
