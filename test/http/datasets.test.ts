import type { FastifyInstance } from "fastify";
import { expect, it } from "vitest";
import {
  datasetListSchema,
  datasetSummarySchema,
  lookUpAnswerSchema,
  sampleAnswerSchema,
  weighAnswerSchema,
} from "../../src/http/schemas/dataset.js";
import type { Store } from "../../src/store/port.js";
import { testApp as buildTestApp } from "../support/app.js";
import { describeOverBothStores } from "../support/both-stores.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postScore } from "../support/inject.js";

const samples = Array.from({ length: 10 }, (_, index) => ({
  id: `q${index}`,
  query: "usb c cable",
  document: `product ${index}`,
  label: index % 2,
  group: "usb",
}));

async function score(app: FastifyInstance, payload: object): Promise<Record<string, never>[]> {
  const response = await postScore(app, payload);
  expect(response.statusCode).toBe(200);
  return response.json().results;
}

async function call(app: FastifyInstance, method: "GET" | "POST" | "DELETE", url: string, payload?: object) {
  const response = await app.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
  return { status: response.statusCode, body: response.body === "" ? null : response.json() };
}

const loss = { weighting: { signal: "loss", scheme: "proportional", smoothing: 0.1 } };

describeOverBothStores("a dataset", behaves);

/** The routes over a dataset, whatever store is under them; `openStore` makes an empty one that the test cleans up. */
function behaves(openStore: () => Promise<Store>): void {
  const testApp = async (options: Parameters<typeof buildTestApp>[0] = {}) =>
    buildTestApp({ ...options, store: options.store ?? (await openStore()) });

  it("refuses samples with more names of extras than a dataset may have, and keeps none", async () => {
    const app = await testApp();
    const named = samples.map((sample, index) => ({
      ...sample,
      extras: Object.fromEntries(Array.from({ length: 60 }, (_, extra) => [`x${index}_${extra}`, 1])),
    }));
    const refused = await postScore(app, { dataset: "d", samples: named });
    expect(refused.statusCode).toBe(409);
    expect(refused.json()).toMatchObject({
      code: "shapes_full",
      detail: expect.stringContaining("may have 512: use the same names of extras for all samples"),
    });
    expect((await call(app, "GET", "/v1/datasets/d")).status).toBe(404);
    await score(app, { dataset: "d", samples: named.slice(0, 5) });
  });

  it("remembers a scored sample: signals, label, group, loss and model", async () => {
    const app = await testApp();
    const results = await score(app, { dataset: "d", samples });
    const { status, body } = await call(app, "GET", "/v1/datasets/d/samples/q3");
    expect(status).toBe(200);
    const sample = sampleAnswerSchema.parse(body);
    expect(sample).toMatchObject({
      id: "q3",
      dataset: "d",
      label: 1,
      group: expect.stringMatching(/^[0-9a-f]{16}$/),
      loss_name: "bce",
      stale: false,
      weight: null,
    });
    expect(sample.model).toBe("default@0123456789abcdef");
    expect(sample.loss).toBeCloseTo(results[3]?.loss as unknown as number, 6);
  });

  it("answers look-ups in the order of the ids, null where unknown", async () => {
    const app = await testApp();
    await score(app, { dataset: "d", samples });
    const { body } = await call(app, "POST", "/v1/datasets/d/lookup", { ids: ["q7", "nobody", "q0", "q7"] });
    const answer = lookUpAnswerSchema.parse(body);
    expect(answer.results.map((result) => result?.id ?? null)).toEqual(["q7", null, "q0", "q7"]);
    expect(answer.as_of).toBeNull();
  });

  it("answers the dataset's weights by id once it is weighed, and they sum to one", async () => {
    const app = await testApp();
    await score(app, { dataset: "d", samples });
    const weighed = await call(app, "POST", "/v1/datasets/d/weights", loss);
    expect(weighed.status).toBe(200);
    const { snapshot, diagnostics } = weighAnswerSchema.parse(weighed.body);
    expect(snapshot).toMatchObject({ version: 1, samples: 10 });
    expect(diagnostics.effective_sample_size).toBeGreaterThan(1);

    const { body } = await call(app, "POST", "/v1/datasets/d/lookup", { ids: samples.map(({ id }) => id) });
    expect(body.as_of).toBe(snapshot.as_of);
    const weights: number[] = body.results.map(({ weight }: { weight: number }) => weight);
    expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    const losses: number[] = body.results.map((result: { loss: number }) => result.loss);
    const byLoss = (values: number[]) =>
      values.map((_, i) => i).sort((i, j) => (losses[i] as number) - (losses[j] as number));
    const ordered = byLoss(losses).map((index) => weights[index] as number);
    expect(ordered).toEqual([...ordered].sort((a, b) => a - b));
  });

  it("gives a sample that comes after the snapshot a weight, marked until the next weighing", async () => {
    const app = await testApp();
    await score(app, { dataset: "d", samples });
    await call(app, "POST", "/v1/datasets/d/weights", loss);
    await score(app, { dataset: "d", samples: [{ ...samples[0], id: "late" }] });
    const late = (await call(app, "GET", "/v1/datasets/d/samples/late")).body;
    expect(late).toMatchObject({ later: true, weight: expect.any(Number) });
    const again = await call(app, "POST", "/v1/datasets/d/weights", loss);
    expect(again.body.snapshot).toMatchObject({ version: 2, samples: 11 });
    const weighed = (await call(app, "GET", "/v1/datasets/d/samples/late")).body;
    expect(weighed.later).toBeUndefined();
    expect(weighed.weight).toBeGreaterThan(0);
  });

  it("never answers a batch's weights as the dataset's", async () => {
    const app = await testApp();
    await score(app, { dataset: "d", samples });
    const { body } = await call(app, "POST", "/v1/datasets/d/lookup", { ids: ["q1"] });
    expect(body.results[0].weight).toBeNull();
  });

  it("refuses to weigh by a signal that a sample does not remember, naming those that all have", async () => {
    const app = await testApp();
    await score(app, { dataset: "d", samples, signals: ["loss", "el2n"] });
    await score(app, { dataset: "d", samples: [{ ...samples[0], id: "other" }], signals: ["loss"] });
    const { status, body } = await call(app, "POST", "/v1/datasets/d/weights", {
      weighting: { signal: "el2n", scheme: "rank" },
    });
    expect(status).toBe(422);
    expect(body.code).toBe("unsuitable_signal");
    expect(body.detail).toMatch(
      /1 of 11 samples were scored without el2n \("other"\); all 11 samples have: loss, grad_norm_last/,
    );
  });

  it("replaces a sample that is scored again and says nothing of the old label", async () => {
    const app = await testApp();
    await score(app, { dataset: "d", samples });
    await score(app, { dataset: "d", samples: [{ ...samples[0], label: 1 }] });
    expect((await call(app, "GET", "/v1/datasets/d/samples/q0")).body.label).toBe(1);
    expect((await call(app, "GET", "/v1/datasets/d")).body.samples).toBe(10);
  });

  it("says that a sample scored by an older model is stale", async () => {
    const store = await openStore();
    await score(await testApp({ store }), { dataset: "d", samples });
    const newer = await testApp({ store, rankers: fakeRankers(fakeRanker({ version: "fedcba9876543210" })) });
    expect((await call(newer, "GET", "/v1/datasets/d/samples/q0")).body.stale).toBe(true);
    const { body } = await call(newer, "POST", "/v1/datasets/d/weights", loss);
    expect(body.diagnostics.advice.join()).toMatch(/no longer served/);
  });

  it("is listed with its counts, page by page", async () => {
    const app = await testApp();
    for (const dataset of ["c", "a", "b"]) await score(app, { dataset, samples: samples.slice(0, 2) });
    const first = datasetListSchema.parse((await call(app, "GET", "/v1/datasets?limit=2")).body);
    expect(first.datasets.map(({ dataset, samples: count }) => [dataset, count])).toEqual([
      ["a", 2],
      ["b", 2],
    ]);
    const second = (
      await call(app, "GET", `/v1/datasets?limit=2&cursor=${encodeURIComponent(first.next_cursor as string)}`)
    ).body;
    expect(second.datasets.map(({ dataset }: { dataset: string }) => dataset)).toEqual(["c"]);
    expect(second.next_cursor).toBeNull();
  });

  it("forgets a sample, then answers 404 for it", async () => {
    const app = await testApp();
    await score(app, { dataset: "d", samples });
    expect((await call(app, "DELETE", "/v1/datasets/d/samples/q0")).status).toBe(204);
    expect((await call(app, "GET", "/v1/datasets/d/samples/q0")).body.code).toBe("sample_not_found");
    expect((await call(app, "DELETE", "/v1/datasets/d/samples/q0")).status).toBe(404);
    expect(datasetSummarySchema.parse((await call(app, "GET", "/v1/datasets/d")).body).samples).toBe(9);
  });

  it("says that it holds nothing to weigh once every sample is forgotten", async () => {
    const app = await testApp();
    await score(app, { dataset: "d", samples: samples.slice(0, 1) });
    await call(app, "DELETE", "/v1/datasets/d/samples/q0");
    expect((await call(app, "GET", "/v1/datasets/d")).body.samples).toBe(0);
    expect(await call(app, "POST", "/v1/datasets/d/weights", loss)).toMatchObject({
      status: 422,
      body: { code: "unsuitable_weighting", detail: "Dataset d has no samples to weigh" },
    });
  });

  it("is forgotten with all its samples", async () => {
    const app = await testApp();
    await score(app, { dataset: "d", samples });
    expect((await call(app, "DELETE", "/v1/datasets/d")).status).toBe(204);
    for (const [method, url, payload] of [
      ["GET", "/v1/datasets/d", undefined],
      ["DELETE", "/v1/datasets/d", undefined],
      ["GET", "/v1/datasets/d/samples/q0", undefined],
      ["POST", "/v1/datasets/d/lookup", { ids: ["q0"] }],
      ["POST", "/v1/datasets/d/weights", loss],
    ] as const) {
      expect((await call(app, method, url, payload)).body.code).toBe("dataset_not_found");
    }
  });

  it("takes ids with slashes, spaces, percent signs and other scripts in a path", async () => {
    const app = await testApp();
    const ids = ["a/b", "50% off", "ein köln?#x", "样本-1", "é".repeat(128)];
    await score(app, { dataset: "名/1", samples: ids.map((id) => ({ ...samples[0], id })) });
    for (const id of ids) {
      const url = `/v1/datasets/${encodeURIComponent("名/1")}/samples/${encodeURIComponent(id)}`;
      expect((await call(app, "GET", url)).body).toMatchObject({ id, dataset: "名/1" });
    }
  });

  it("refuses too many ids in a look-up", async () => {
    const app = await testApp();
    const { status, body } = await call(app, "POST", "/v1/datasets/d/lookup", { ids: Array(129).fill("q0") });
    expect({ status, path: body.faults[0].path }).toEqual({ status: 400, path: "/ids" });
  });
}
