import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { datasetSummarySchema } from "../../src/http/schemas/dataset.js";
import { selectAnswerSchema } from "../../src/http/schemas/selection.js";
import type { Rankers } from "../../src/ranker/port.js";
import type { Store } from "../../src/store/port.js";
import { testApp as buildTestApp, temporaryStore } from "../support/app.js";
import { describeOverBothStores } from "../support/both-stores.js";
import { type FakeRanker, fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postScore } from "../support/inject.js";

const EMBEDDING = { size: 8, after: "embeddings" };
/** Origin, scale, and a byte for each value. */
const INT8_BYTES = 2 + 4 + 8;

const samples = Array.from({ length: 40 }, (_, index) => ({
  id: `q${index}`,
  query: "usb c cable",
  document: `product ${index}`,
  label: index % 2,
}));

async function call(
  app: FastifyInstance,
  method: "GET" | "PUT" | "POST" | "DELETE",
  url: string,
  payload?: object,
) {
  const response = await app.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
  return { status: response.statusCode, body: response.body === "" ? null : response.json() };
}

async function put(app: FastifyInstance, settings: object) {
  const { status, body } = await call(app, "PUT", "/v1/datasets/d", settings);
  expect(status, JSON.stringify(body)).toBe(200);
  return datasetSummarySchema.parse(body);
}

async function embeddingOf(app: FastifyInstance) {
  return datasetSummarySchema.parse((await call(app, "GET", "/v1/datasets/d")).body).embedding;
}

async function score(app: FastifyInstance, payload: object): Promise<{ advice: string[]; hits: number }> {
  const response = await postScore(app, { dataset: "d", ...payload });
  expect(response.statusCode, response.body).toBe(200);
  const { advice, cache_hits: hits } = response.json().diagnostics;
  return { advice, hits };
}

async function select(app: FastifyInstance, payload: object) {
  const { status, body } = await call(app, "POST", "/v1/datasets/d/select", payload);
  expect(status, JSON.stringify(body)).toBe(200);
  const answer = selectAnswerSchema.parse(body);
  return { ...answer, ids: (answer.samples ?? []).map(({ id }) => id) };
}

function rankerOf(fields: Parameters<typeof fakeRanker>[0] = {}): FakeRanker {
  return fakeRanker({ embedding: EMBEDDING, ...fields });
}

describeOverBothStores("a dataset's embeddings", behaves);

function behaves(openStore: () => Promise<Store>): void {
  async function appWith(
    ranker: FakeRanker = rankerOf(),
    store?: Store,
    more: Partial<{ rankers: Rankers }> = {},
  ) {
    return buildTestApp({ rankers: fakeRankers(ranker), store: store ?? (await openStore()), ...more });
  }

  it("are kept of the samples that are scored once the dataset is set to keep them, and counted", async () => {
    const ranker = rankerOf();
    const app = await appWith(ranker);
    await score(app, { samples: samples.slice(0, 3) });
    expect(await embeddingOf(app)).toBeNull();
    expect(ranker.wanted.at(-1)?.asked ?? []).toEqual([]);
    expect((await put(app, { embedding: { type: "int8" } })).embedding).toEqual({
      type: "int8",
      bytes_max: 2 ** 30,
      bytes: 0,
      samples: 0,
      of: null,
      outdated: 0,
    });
    // The cache has no embeddings of the first three, so they run again; then it has.
    expect(await score(app, { samples: samples.slice(0, 5) })).toEqual({
      advice: expect.anything(),
      hits: 0,
    });
    expect(ranker.wanted.at(-1)?.asked).toEqual(["embedding"]);
    expect((await score(app, { samples: samples.slice(0, 5) })).hits).toBe(5);
    expect(await embeddingOf(app)).toMatchObject({
      bytes: 5 * INT8_BYTES,
      samples: 5,
      of: { model: "default@0123456789abcdef", after: "embeddings", size: 8 },
    });
    await call(app, "DELETE", "/v1/datasets/d/samples/q1");
    expect(await embeddingOf(app)).toMatchObject({ bytes: 4 * INT8_BYTES, samples: 4 });
  });

  it("are kept with gradients, with a share of exact gradients, and of a stream", async () => {
    const app = await appWith();
    await put(app, { embedding: {} });
    await score(app, { samples: samples.slice(0, 4), signals: ["loss", "grad_norm"] });
    await score(app, { samples: samples.slice(4, 34), signals: ["grad_norm"], exact_fraction: 0.5 });
    expect((await embeddingOf(app))?.samples).toBe(34);
    const response = await app.inject({
      method: "POST",
      url: "/v1/score?dataset=d",
      headers: { "content-type": "application/x-ndjson" },
      payload: samples
        .slice(34)
        .map((each) => JSON.stringify(each))
        .join("\n"),
    });
    expect(response.statusCode).toBe(200);
    expect((await embeddingOf(app))?.samples).toBe(40);
  });

  it("are those of the present text: another text without a run drops them, another label does not", async () => {
    const app = await appWith();
    await put(app, { embedding: { type: "float16" } });
    await score(app, { samples: samples.slice(0, 2) });
    const observe = (textDigest: string | undefined) =>
      call(app, "POST", "/v1/datasets/d/observations", {
        checkpoint: { name: "e1", step: 1 },
        loss: "bce",
        mode: "eval",
        samples: [{ id: "q0", label: 1, logits: 0.5, ...(textDigest && { text_digest: textDigest }) }],
      });
    expect((await observe(undefined)).status).toBe(200);
    expect((await embeddingOf(app))?.samples).toBe(2);
    expect((await observe("001122334455")).status).toBe(200);
    expect((await embeddingOf(app))?.samples).toBe(1);
  });

  it("over their bytes are not kept, and the answer says so and what to do", async () => {
    const app = await appWith();
    await put(app, { embedding: { type: "int8", bytes_max: 3 * INT8_BYTES } });
    const { advice } = await score(app, { samples: samples.slice(0, 5) });
    expect(advice.join("\n")).toContain(
      "2 of 5 embeddings were not kept, because those of dataset d may take 42 bytes: raise bytes_max of its embedding (PUT /v1/datasets/d)",
    );
    expect(await embeddingOf(app)).toMatchObject({ bytes: 42, samples: 3, bytes_max: 42 });
    await put(app, { embedding: { type: "int8", bytes_max: 1000 } });
    expect((await score(app, { samples: samples.slice(0, 5) })).advice.join()).not.toContain("not kept");
    expect((await embeddingOf(app))?.samples).toBe(5);
  });

  it("of a model that gives none are not kept, and the answer names the command that adds them", async () => {
    const app = await appWith(rankerOf({ embedding: null }));
    await put(app, { embedding: {} });
    const { advice } = await score(app, { samples: samples.slice(0, 2) });
    expect(advice.join("\n")).toContain("python -m assay.export graphs");
    expect(await embeddingOf(app)).toMatchObject({ samples: 0, of: null });
    const refused = await call(app, "POST", "/v1/datasets/d/select", { method: "k_center", size: 1 });
    expect(refused).toMatchObject({
      status: 422,
      body: { code: "unsuitable_selection", faults: [{ path: "/method" }] },
    });
    expect(refused.body.detail).toContain("none of the 2 samples has one");
  });

  it("are deleted when they are turned off; a setting that is left out stays", async () => {
    const app = await appWith();
    await put(app, { embedding: {} });
    await score(app, { samples });
    expect((await put(app, {})).embedding?.samples).toBe(40);
    expect((await put(app, { embedding: null })).embedding).toBeNull();
    const refused = await call(app, "POST", "/v1/datasets/d/select", {
      method: "facility_location",
      size: 3,
    });
    expect(refused.body).toMatchObject({ code: "unsuitable_selection" });
    expect(refused.body.detail).toContain('send {"embedding": {"type": "int8"}} to PUT /v1/datasets/d');
    expect((await put(app, { embedding: {} })).embedding?.samples).toBe(0);
  });

  it("of a renewed model take the place of the old ones, and a selection reads those of one model", async () => {
    const store = await openStore();
    const before = await appWith(rankerOf(), store);
    await put(before, { embedding: {} });
    await score(before, { samples });
    const after = await appWith(rankerOf({ version: "fedcba9876543210" }), store);
    await score(after, { samples: samples.slice(0, 10) });
    expect(await embeddingOf(after)).toMatchObject({
      samples: 10,
      outdated: 30,
      of: { model: "default@fedcba9876543210" },
    });
    const found = await select(after, { method: "facility_location", size: 5 });
    expect(found).toMatchObject({
      samples_in_dataset: 40,
      candidates: 10,
      without_embedding: 30,
      embedding: { model: "default@fedcba9876543210", after: "embeddings", size: 8 },
    });
    expect(found.ids.every((id) => Number(id.slice(1)) < 10)).toBe(true);
    expect(found.advice[0]).toBe(
      "30 of 40 samples have no embedding of the newest model, so they were left out: score them again.",
    );
  });

  it.each([
    [{ method: "k_center", size: 6 }],
    [{ method: "k_center", size: 6, signal: "loss", strength: 1, outliers: 0.1 }],
    [{ method: "facility_location", size: 6 }],
    [{ method: "facility_location", share: 0.2, stratify_by: "label" }],
    [{ method: "facility_location", size: 6, filter: { label: 1 }, exclude: ["q1", "q3"] }],
    [{ method: "active", signal: "entropy", size: 3, diverse: true }],
  ])("are what %o selects by", async (request) => {
    const app = await appWith();
    await put(app, { embedding: {} });
    const unlabelled = samples.map(({ label: _, ...sample }, index) => ({
      ...sample,
      ...(request.method !== "active" && { label: index % 2 }),
    }));
    await score(app, { samples: unlabelled, signals: request.method === "active" ? ["entropy"] : ["loss"] });
    const found = await select(app, { seed: 3, ...request });
    expect(found.ids.length).toBe("share" in request ? 8 : request.size);
    expect(new Set(found.ids).size).toBe(found.ids.length);
    expect(found).toMatchObject({ without_embedding: 0, selected: found.ids.length });
    expect(found.samples?.[0]).toMatchObject({ probability: null, multiplier: null });
  });
}

describe("settings of a dataset", () => {
  it.each([
    [{ embedding: { type: "int4" } }, "/embedding/type"],
    [{ embedding: { type: "int8", bytes_max: -1 } }, "/embedding/bytes_max"],
    [{ embedding: { type: "int8", bytes_max: 2 ** 31 + 1 } }, "/embedding/bytes_max"],
    [{ embedding: { kind: "int8" } }, "/embedding/kind"],
    [{ embeddings: null }, "/embeddings"],
  ])("refuse %o, and say where", async (settings, path) => {
    const { status, body } = await call(await buildTestApp(), "PUT", "/v1/datasets/d", settings);
    expect({ status, path: body.faults[0].path }).toEqual({ status: 400, path });
  });

  it("make a dataset that can be listed, scored into and deleted", async () => {
    const app = await buildTestApp();
    expect(await put(app, {})).toMatchObject({ dataset: "d", samples: 0, embedding: null });
    const list = await call(app, "GET", "/v1/datasets");
    expect(list.body.datasets.map(({ dataset }: { dataset: string }) => dataset)).toEqual(["d"]);
    await score(app, { samples: samples.slice(0, 2) });
    expect((await call(app, "DELETE", "/v1/datasets/d")).status).toBe(204);
    expect((await call(app, "GET", "/v1/datasets/d")).status).toBe(404);
  });
});

describe("a selection for diversity", () => {
  /** Three clusters: samples i, i + 3, i + 6, … are near copies of one another. */
  const clusterOf = (id: string): number => Number(id.slice(1)) % 3;
  function clusteredRanker(): FakeRanker {
    const ranker = rankerOf();
    return {
      ...ranker,
      async run(texts, wanted, caller) {
        const outputs = await ranker.run(texts, wanted, caller);
        const rows = texts.map(({ second }) => {
          const index = Number((second ?? "0").split(" ").at(-1));
          return Array.from(
            { length: 8 },
            (_, d) => 5 + (d === index % 3 ? 2 : 0) + ((index * (d + 3)) % 7) / 100,
          );
        });
        return { ...outputs, embedding: Float32Array.from(rows.flat()) };
      },
    };
  }

  it.each(["k_center", "facility_location"])("by %s takes one of each cluster first", async (method) => {
    const app = await buildTestApp({ rankers: fakeRankers(clusteredRanker()) });
    await put(app, { embedding: {} });
    await score(app, { samples });
    const { ids } = await select(app, { method, size: 3 });
    expect(ids.map(clusterOf).sort()).toEqual([0, 1, 2]);
  });

  it("is the same whatever the order in which the samples arrived, and on every store", async () => {
    const requests = [
      { method: "k_center", size: 9, seed: 5 },
      { method: "facility_location", size: 9, seed: 5 },
    ];
    const orders = [samples, [...samples].reverse()];
    const answers = await Promise.all(
      orders.map(async (order) => {
        const app = await buildTestApp({ rankers: fakeRankers(rankerOf()), store: await temporaryStore() });
        await put(app, { embedding: {} });
        for (const start of [0, 20]) await score(app, { samples: order.slice(start, start + 20) });
        return Promise.all(requests.map(async (request) => (await select(app, request)).ids));
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(answers[0]?.[0]).toHaveLength(9);
  });
});
