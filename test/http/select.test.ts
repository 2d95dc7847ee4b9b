import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { jobSchema } from "../../src/http/schemas/job.js";
import {
  selectAnswerSchema,
  selectedSampleSchema,
  selectionFactsSchema,
} from "../../src/http/schemas/selection.js";
import type { Store } from "../../src/store/port.js";
import { openRedisStore } from "../../src/store/redis/store.js";
import { groupDigest, sample } from "../store/conformance/records.js";
import { temporaryStore, testApp } from "../support/app.js";
import type { Json } from "../support/post.js";
import { hasRedisServer, type RedisServer, startRedis } from "../support/redis.js";
import { until } from "../support/until.js";

const SAMPLES = 120;
const LABELS = [0, 0, 1, 2 / 3];
const lossOf = (index: number): number => ((index * 37) % SAMPLES) / 64;
const idOf = (index: number): string => `sämple-${index}`;

/** Fills dataset `d`: a class of four, two sources and some without, groups of five, a sample without a label in ten. */
async function fill(store: Store): Promise<void> {
  const entries = Array.from({ length: SAMPLES }, (_, index) => {
    const isBare = index % 10 === 9;
    const signals = new Map([
      ["entropy", lossOf(index) / 4],
      ["margin", 1 - lossOf(index)],
      ["extras.price", index % 7],
      ...(isBare ? [] : ([["loss", lossOf(index)]] as const)),
    ]);
    const label = isBare ? null : (LABELS[index % 4] as number);
    const source = index % 3 === 2 ? null : (["crawl", "clicks"][index % 3] as string);
    const group = groupDigest(`q${Math.floor(index / 5)}`);
    return { id: idOf(index), record: sample({ signals, label, source, group }) };
  });
  // Several writes in another order than that of the ids.
  for (const part of [entries.slice(60), entries.slice(0, 60)]) await store.writeSamples("d", part);
}

/** Gives every sample but the first an embedding. */
async function embed(store: Store): Promise<void> {
  const indices = Array.from({ length: SAMPLES - 1 }, (_, index) => index + 1);
  await store.writeSettings("d", { embedding: { type: "int8", bytesMax: 100_000 } });
  await store.writeEmbeddings("d", {
    origin: { model: "default@0123456789ab", after: "embeddings", size: 6 },
    ids: indices.map(idOf),
    textDigests: indices.map(() => sample().textDigest as Buffer),
    values: Float32Array.from(
      indices.flatMap((index) => [2, 3, 5, 7, 11, 13].map((prime) => (index * index) % prime)),
    ),
  });
}

async function filledApp(store?: Store): Promise<FastifyInstance> {
  const of = store ?? (await temporaryStore());
  await fill(of);
  return testApp({ store: of });
}

async function select(app: FastifyInstance, payload: object, headers: Record<string, string> = {}) {
  const answer = await app.inject({ method: "POST", url: "/v1/datasets/d/select", headers, payload });
  return { status: answer.statusCode, headers: answer.headers, text: answer.body };
}

async function selected(app: FastifyInstance, payload: object) {
  const { status, text } = await select(app, payload);
  expect(status, text).toBe(200);
  const { samples, ...facts } = selectAnswerSchema.parse(JSON.parse(text));
  return { ...facts, samples: samples ?? [], ids: (samples ?? []).map(({ id }) => id) };
}

async function problem(app: FastifyInstance, payload: object): Promise<Json> {
  const { status, text } = await select(app, payload);
  return { status, ...JSON.parse(text) };
}

/** Indices of the samples that have a loss, the largest loss first. */
const byLoss = Array.from({ length: SAMPLES }, (_, index) => index)
  .filter((index) => index % 10 !== 9)
  .sort((a, b) => lossOf(b) - lossOf(a));

/** The mean in units of its standard error. */
function standardised(values: readonly number[]): number {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  return mean / Math.sqrt(variance / count);
}

describe("selecting", () => {
  it("gives the largest scores, and says how many samples have none", async () => {
    const app = await filledApp();
    const top = await selected(app, { method: "top", size: 5, signal: "loss" });
    expect(top.ids).toEqual(byLoss.slice(0, 5).map(idOf));
    expect(top).toMatchObject({
      dataset: "d",
      method: "top",
      signal: "loss",
      seed: 0,
      snapshot: null,
      models: ["default@0123456789ab"],
      samples_in_dataset: 120,
      candidates: 108,
      without_score: 12,
      selected: 5,
      divisor: null,
      strata: null,
    });
    expect(top.samples[0]).toMatchObject({ count: 1, probability: null, multiplier: null });
    expect(top.advice[0]).toBe("12 samples have no loss, so they were left out: score them with it.");
    expect(top.advice.join()).toMatch(/wrong labels/);
    const bottom = await selected(app, { method: "bottom", share: 0.05, signal: "loss" });
    expect(bottom.ids).toEqual(byLoss.slice(-5).reverse().map(idOf));
  });

  it("draws with multipliers that estimate the mean over the candidates, for each method that draws", async () => {
    const app = await filledApp();
    const metric = (id: string): number => lossOf(Number(id.split("-")[1])) ** 2;
    const mean = byLoss.reduce((sum, index) => sum + lossOf(index) ** 2, 0) / byLoss.length;
    const requests = [
      { method: "sample", size: 400 },
      { method: "poisson", size: 50 },
      { method: "infobatch", prune: 0.6 },
    ];
    for (const request of requests) {
      const errors = { right: [] as number[], withoutMultiplier: [] as number[] };
      for (let seed = 0; seed < 30; seed++) {
        const filter = { ranges: [{ column: "loss", min: 0 }] };
        const { samples, divisor } = await selected(app, { ...request, signal: "loss", seed, filter });
        let [right, plain, counts] = [0, 0, 0];
        for (const { id, count, multiplier } of samples) {
          right += count * (multiplier as number) * metric(id);
          plain += count * metric(id);
          counts += count;
        }
        errors.right.push(right / (divisor as number) - mean);
        errors.withoutMultiplier.push(plain / counts - mean);
      }
      expect(Math.abs(standardised(errors.right)), request.method).toBeLessThan(4);
      expect(Math.abs(standardised(errors.withoutMultiplier)), request.method).toBeGreaterThan(4);
    }
  });

  it("draws every sample with the same chance if no signal is named", async () => {
    const { candidates, samples, without_score } = await selected(await filledApp(), {
      method: "poisson",
      share: 0.5,
    });
    expect({ candidates, without_score }).toEqual({ candidates: 120, without_score: 0 });
    for (const { probability, multiplier } of samples) {
      expect(probability).toBeCloseTo(0.5, 12);
      expect(multiplier).toBeCloseTo(1, 12);
    }
  });

  it("takes the weights of the newest snapshot for scores, and names it", async () => {
    const app = await filledApp();
    const weightless = await problem(app, { method: "sample", size: 3, signal: "weight" });
    expect(weightless).toMatchObject({
      status: 422,
      code: "unsuitable_selection",
      faults: [{ path: "/signal" }],
    });
    const payload = { weighting: { signal: "margin", scheme: "softmax" } };
    expect((await app.inject({ method: "POST", url: "/v1/datasets/d/weights", payload })).statusCode).toBe(
      200,
    );
    const { snapshot, candidates, samples } = await selected(app, {
      method: "sample",
      size: 50,
      signal: "weight",
    });
    expect({ snapshot, candidates }).toEqual({ snapshot: 1, candidates: 120 });
    expect(samples.reduce((sum, { count }) => sum + count, 0)).toBe(50);
  });

  it("selects from each stratum in proportion, or as quotas say", async () => {
    const app = await filledApp();
    const shares = await selected(app, { method: "top", signal: "loss", size: 54, stratify_by: "label" });
    expect(shares.strata?.map(({ stratum, candidates }) => [stratum, candidates])).toEqual([
      ["0", 54],
      [String(2 / 3), 24],
      ["1", 30],
    ]);
    expect(shares.strata?.map(({ selected: each }) => each)).toEqual([27, 12, 15]);
    const quotas = { crawl: 3, clicks: 0 };
    const some = await selected(app, { method: "top", signal: "entropy", stratify_by: "source", quotas });
    expect(some.ids).toHaveLength(3);
    expect(some.ids.every((id) => Number(id.split("-")[1]) % 3 === 0)).toBe(true);
    expect(some.advice).toContain(
      "40 samples have no source, so no quota names them, and none was selected.",
    );
    const grouped = await selected(app, { method: "top", signal: "entropy", size: 24, stratify_by: "group" });
    expect(new Set(grouped.ids.map((id) => Math.floor(Number(id.split("-")[1]) / 5))).size).toBe(24);
  });

  it("leaves out excluded ids and what the filter leaves out", async () => {
    const app = await filledApp();
    const exclude = [...byLoss.slice(0, 3).map(idOf), "stranger"];
    const rest = await selected(app, { method: "top", size: 2, signal: "loss", exclude });
    expect(rest.ids).toEqual(byLoss.slice(3, 5).map(idOf));
    expect(rest.advice).toContain("1 of the ids to exclude are not in the dataset.");
    const filter = { label: 1, source: "crawl", ranges: [{ column: "extras.price", min: 2, max: 4 }] };
    const few = await selected(app, { method: "bottom", share: 1, signal: "loss", filter });
    const kept = byLoss.filter(
      (index) => index % 4 === 2 && index % 3 === 0 && [2, 3, 4].includes(index % 7),
    );
    expect(new Set(few.ids)).toEqual(new Set(kept.map(idOf)));
  });

  it("chooses what to label next among samples without a label, by a signal that needs none", async () => {
    const app = await filledApp();
    const { ids, candidates } = await selected(app, { method: "active", size: 4, signal: "entropy" });
    const bare = Array.from({ length: 12 }, (_, at) => 10 * at + 9).sort((a, b) => lossOf(b) - lossOf(a));
    expect(candidates).toBe(12);
    expect(ids).toEqual(bare.slice(0, 4).map(idOf));
    expect(await problem(app, { method: "active", size: 4, signal: "loss" })).toMatchObject({
      status: 422,
      faults: [{ path: "/signal", message: expect.stringMatching(/needs a label.*entropy/) }],
    });
  });

  it.each<[string, object, number, string, string]>([
    ["an unknown method", { method: "best", size: 1 }, 400, "invalid_request", "/method"],
    ["an unknown signal", { method: "top", size: 1, signal: "lost" }, 400, "invalid_request", "/signal"],
    ["no size", { method: "top", signal: "loss" }, 422, "unsuitable_selection", "/size"],
    [
      "two sizes",
      { method: "top", signal: "loss", size: 1, share: 0.5 },
      422,
      "unsuitable_selection",
      "/share",
    ],
    [
      "a size that the scores decide",
      { method: "infobatch", signal: "loss", size: 1 },
      422,
      "unsuitable_selection",
      "/size",
    ],
    ["no signal", { method: "top", size: 1 }, 422, "unsuitable_selection", "/signal"],
    [
      "a signal that nobody has",
      { method: "top", size: 1, signal: "aum2" },
      400,
      "invalid_request",
      "/signal",
    ],
    [
      "an extra that nobody has",
      { method: "top", size: 1, signal: "extras.no" },
      422,
      "unsuitable_signal",
      "/signal",
    ],
    [
      "a negative score to draw by",
      { method: "poisson", size: 9, signal: "margin" },
      422,
      "unsuitable_selection",
      "/signal",
    ],
    [
      "more than there are",
      { method: "top", size: 109, signal: "loss" },
      422,
      "unsuitable_selection",
      "/size",
    ],
    [
      "another method's option",
      { method: "top", size: 1, signal: "loss", prune: 0.5 },
      422,
      "unsuitable_selection",
      "/prune",
    ],
    [
      "an epoch after the last",
      { method: "infobatch", signal: "loss", epoch: 3, epochs: 3 },
      422,
      "unsuitable_selection",
      "/epoch",
    ],
    ["embeddings", { method: "k_center", size: 3 }, 422, "unsuitable_selection", "/method"],
    [
      "diversity",
      { method: "active", size: 3, signal: "entropy", diverse: true },
      422,
      "unsuitable_selection",
      "/diverse",
    ],
    [
      "quotas of nothing",
      { method: "top", signal: "loss", quotas: { 0: 1 } },
      422,
      "unsuitable_selection",
      "/stratify_by",
    ],
    [
      "a quota of a class that is not there",
      { method: "top", signal: "loss", stratify_by: "label", quotas: { 7: 1 } },
      422,
      "unsuitable_selection",
      "/quotas/7",
    ],
    [
      "a quota that is too large",
      { method: "poisson", signal: "loss", stratify_by: "label", quotas: { 1: 31 } },
      422,
      "unsuitable_selection",
      "/quotas/1",
    ],
    [
      "a filter that leaves none",
      { method: "top", size: 1, signal: "loss", filter: { label: 9 } },
      422,
      "unsuitable_selection",
      "/filter",
    ],
    [
      "a range of an unknown extra",
      { method: "top", size: 1, signal: "loss", filter: { ranges: [{ column: "extras.no" }] } },
      422,
      "unsuitable_signal",
      "/filter/ranges/0/column",
    ],
  ])("refuses %s, and says where", async (_, payload, status, code, path) => {
    const refused = await problem(await filledApp(), payload);
    expect(refused).toMatchObject({ status, code, faults: [{ path }] });
  });

  it("says that a dataset is unknown", async () => {
    expect(await problem(await testApp(), { method: "top", size: 1, signal: "loss" })).toMatchObject({
      status: 404,
    });
  });
});

describe("a selection in lines", () => {
  const lines = { accept: "application/x-ndjson" };

  it("has the facts first and then the samples of the JSON answer", async () => {
    const app = await filledApp();
    const payload = { method: "poisson", share: 0.5, signal: "loss", seed: "s" };
    const whole = await selected(app, payload);
    const { headers, text } = await select(app, payload, lines);
    expect(headers["content-type"]).toBe("application/x-ndjson");
    expect(text.endsWith("\n")).toBe(true);
    const [first, ...rest] = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(selectionFactsSchema.strict().parse(first)).toMatchObject({ seed: "s", selected: whole.selected });
    expect(rest.map((line) => selectedSampleSchema.strict().parse(line))).toEqual(whole.samples);
  });

  it("is not sent to a client that prefers JSON", async () => {
    const app = await filledApp();
    const accept = "application/json, application/x-ndjson;q=0.5";
    const { headers } = await select(app, { method: "poisson", size: 3 }, { accept });
    expect(headers["content-type"]).toMatch(/^application\/json/);
  });

  it("is read from a job too, whose list leaves out the samples", async () => {
    const app = await filledApp();
    const payload = { method: "top", size: 2, signal: "loss", stratify_by: "source" };
    const begun = await select(app, payload, { prefer: "respond-async" });
    expect(begun.status).toBe(202);
    const { id, kind } = jobSchema.parse(JSON.parse(begun.text));
    expect(kind).toBe("select");
    await until(async () => {
      const job = jobSchema.parse((await app.inject(`/v1/jobs/${id}`)).json());
      expect(job).toMatchObject({
        state: "done",
        result: { samples: [{}, {}], strata: [{}, {}, {}] },
      });
    });
    const { jobs } = (await app.inject("/v1/jobs")).json();
    expect(jobs).toMatchObject([{ id, result: { selected: 2, samples: null, strata: null } }]);
    const answer = await app.inject({ url: `/v1/jobs/${id}`, headers: lines });
    expect(answer.body.trimEnd().split("\n")).toHaveLength(3);
  });
});

describe.skipIf(!hasRedisServer())("a selection from Redis (skipped without redis-server)", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.remove());

  it("is that from the embedded store, with the same seed", async () => {
    const redis = openRedisStore({ url: `redis://127.0.0.1:${server.port}` });
    onTestFinished(() => redis.close());
    const stores = [await temporaryStore(), redis] as const;
    const apps = await Promise.all(stores.map(filledApp));
    for (const store of stores) await embed(store);
    const requests = [
      { method: "top", size: 9, signal: "loss", stratify_by: "source" },
      { method: "sample", size: 60, signal: "loss", seed: 3 },
      { method: "poisson", share: 0.3, signal: "entropy", seed: "a", stratify_by: "group" },
      { method: "infobatch", signal: "loss", epoch: 1, epochs: 9, seed: 5 },
      { method: "active", size: 5, signal: "entropy" },
      { method: "k_center", size: 12, seed: 2, outliers: 0.1 },
      { method: "facility_location", share: 0.1, seed: 2, stratify_by: "source" },
      { method: "active", size: 5, signal: "entropy", diverse: true, strength: 1 },
    ];
    for (const request of requests) {
      const [embedded, fromRedis] = await Promise.all(apps.map((app) => selected(app, request)));
      expect({ ...fromRedis, selected_at: null }).toEqual({ ...embedded, selected_at: null });
      expect(embedded?.ids.length).toBeGreaterThan(4);
    }
  });
});

it("leaves out more ids than a look-up may have", async () => {
  const app = await filledApp();
  const unknown = Array.from({ length: 20_000 }, (_, index) => `unknown ${index}`);
  const exclude = [...unknown, idOf(byLoss[0] as number)];
  const { ids, advice } = await selected(app, { method: "top", size: 1, signal: "loss", exclude });
  expect(ids).toEqual([idOf(byLoss[1] as number)]);
  expect(advice.join()).toContain("20000 of the ids to exclude are not in the dataset");
});

it("answers a selection of thousands in parts: as JSON, and as the result of its job", async () => {
  const store = await temporaryStore();
  const count = 2500;
  await store.writeSamples(
    "d",
    Array.from({ length: count }, (_, index) => ({
      id: `"${index}"`,
      record: sample({ signals: new Map([["loss", index]]) }),
    })),
  );
  const app = await testApp({ store });
  const payload = { method: "poisson", size: 2400, signal: "loss", seed: 1 };
  const { status, headers, text } = await select(app, payload);
  expect(status).toBe(200);
  expect(headers).toMatchObject({ "content-type": "application/json; charset=utf-8" });
  expect(headers).not.toHaveProperty("content-length");
  const { selected_at: _, ...answer } = selectAnswerSchema.parse(JSON.parse(text));
  expect(answer.samples).toHaveLength(answer.selected);
  const lines = await select(app, payload, { accept: "application/x-ndjson" });
  const [, ...samples] = lines.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(answer.samples).toEqual(samples);

  const { jobs } = (await app.inject("/v1/jobs")).json();
  expect(jobs).toMatchObject([
    { state: "done", result: null },
    { state: "done", result: null },
  ]);
  const begun = JSON.parse((await select(app, payload, { prefer: "respond-async" })).text);
  const url = `/v1/jobs/${begun.id}`;
  await until(async () => expect((await app.inject(url)).json()).toMatchObject({ state: "done" }));
  for (const method of ["GET", "DELETE"] as const) {
    const job = jobSchema.parse((await app.inject({ method, url })).json());
    expect(job).toMatchObject({ state: "done", progress: 1, problem: null, result: answer });
  }
});

it("answers thousands of strata in parts too, also when few samples were selected", async () => {
  const store = await temporaryStore();
  const count = 2500;
  await store.writeSamples(
    "d",
    Array.from({ length: count }, (_, index) => ({
      id: `s${index}`,
      record: sample({ signals: new Map([["loss", index]]), label: index / 3 }),
    })),
  );
  const app = await testApp({ store });
  const payload = { method: "top", signal: "loss", stratify_by: "label", quotas: { 0: 1, 1: 1 } };
  const { status, headers, text } = await select(app, payload);
  expect(status).toBe(200);
  expect(headers).not.toHaveProperty("content-length");
  const { strata, samples } = selectAnswerSchema.parse(JSON.parse(text));
  expect(strata).toHaveLength(count);
  expect(samples?.map(({ id }) => id)).toEqual(["s0", "s3"]);
  const [facts = "", ...rows] = (await select(app, payload, { accept: "application/x-ndjson" })).text
    .trimEnd()
    .split("\n");
  expect(JSON.parse(facts).strata).toEqual(strata);
  expect(rows.map((row) => JSON.parse(row))).toEqual(samples);
});
