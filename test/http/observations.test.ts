import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { lookUpAnswerSchema, sampleAnswerSchema } from "../../src/http/schemas/dataset.js";
import { histogramListSchema } from "../../src/http/schemas/look.js";
import { observationAnswerSchema } from "../../src/http/schemas/observation.js";
import type { Rankers } from "../../src/ranker/port.js";
import type { Store } from "../../src/store/port.js";
import { testApp } from "../support/app.js";
import { describeOverBothStores } from "../support/both-stores.js";
import { fakeRankers } from "../support/fake-rankers.js";

const D = "/v1/datasets/d";
const CHECKPOINT = { name: "epoch-1", step: 100 };
const FACTS = { checkpoint: CHECKPOINT, loss: "bce", mode: "eval" };

type Json = Record<string, unknown>;

async function call(app: FastifyInstance, method: "GET" | "POST" | "DELETE", url: string, payload?: object) {
  const response = await app.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
  return { status: response.statusCode, body: response.json() as Json };
}

async function observe(app: FastifyInstance, samples: readonly object[], facts: object = {}) {
  return call(app, "POST", `${D}/observations`, { ...FACTS, ...facts, samples });
}

async function post(app: FastifyInstance, url: string, payload: object): Promise<Json> {
  const { status, body } = await call(app, "POST", url, payload);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
}

const TEXT = { query: "usb c cable", document: "USB-C cable, 2 m" };

/** Scores the sample `a` with a text. */
async function score(app: FastifyInstance, fields: object = {}, sample: object = {}): Promise<void> {
  const samples = [{ id: "a", ...TEXT, label: 1, ...sample }];
  await post(app, "/v1/score", { dataset: "d", samples, ...fields });
}

async function read(app: FastifyInstance, id = "a"): Promise<Record<string, unknown>> {
  const { status, body } = await call(app, "GET", `${D}/samples/${id}`);
  expect(status).toBe(200);
  return sampleAnswerSchema.strict().parse(body);
}

function lines(samples: readonly unknown[]): string {
  return samples.map((sample) => `${JSON.stringify(sample)}\n`).join("");
}

async function stream(app: FastifyInstance, body: string, query: Record<string, string>) {
  const response = await app.inject({
    method: "POST",
    url: `${D}/observations`,
    query,
    headers: { "content-type": "application/x-ndjson" },
    payload: body,
  });
  return { status: response.statusCode, last: JSON.parse(response.body.trim().split("\n").at(-1) ?? "") };
}

describeOverBothStores("observations", behaves);

function behaves(openStore: () => Promise<Store>): void {
  const open = async (): Promise<FastifyInstance> => testApp({ store: await openStore() });

  it("give each sample the signals of its logits and label, without a text or a run", async () => {
    const app = await open();
    const z = Math.log(3); // p = 3/4
    const { status, body } = await observe(app, [
      { id: "a", label: 1, logits: z, feature_norm: 2, group: "q1", source: "clicks" },
      { id: "b", label: null, logits: z },
      { id: "c", label: 0.25, logits: [z] },
    ]);
    expect({ status, body }).toEqual({
      status: 200,
      body: { dataset: "d", model: "observed", checkpoint: CHECKPOINT, samples: 3, late: 0 },
    });
    observationAnswerSchema.strict().parse(body);
    const a = await read(app);
    const close = (value: number): unknown => expect.closeTo(value, 3);
    expect(a).toMatchObject({
      ...{
        loss: close(Math.log(4 / 3)),
        probability: close(0.75),
        margin: close(z),
        confidence: close(0.75),
      },
      ...{ el2n: close(0.25), grad_norm_last: close(0.25 * Math.sqrt(5)), mean_confidence: close(0.75) },
      ...{ variability: 0, aum: close(z), forgetting: 0, label: 1, source: "clicks", loss_name: "bce" },
      ...{ model: "observed", observed: "eval", stale: false, text_digest: null, earlier: {} },
    });
    expect(a.group).toMatch(/^[0-9a-f]{16}$/);
    expect(a.history).toEqual({
      checkpoints: [{ ...CHECKPOINT, logits: [expect.closeTo(z, 3)] }],
      merged: null,
    });
    const b = await read(app, "b");
    expect(b).toMatchObject({ probability: close(0.75), label: null });
    for (const name of ["loss", "grad_norm_last", "aum"]) expect(b).not.toHaveProperty(name);
    expect(await read(app, "c")).toMatchObject({ mean_confidence: close(0.25 * 0.75 + 0.75 * 0.25) });
  });

  it("of several logits are those of cross_entropy", async () => {
    const app = await open();
    const logits = [0, Math.log(2), Math.log(5)];
    const { status } = await observe(app, [{ id: "a", label: 1, logits }], { loss: "cross_entropy" });
    expect(status).toBe(200);
    const aum = Math.log(2) - Math.log(5);
    expect(await read(app)).toMatchObject({
      ...{
        loss: expect.closeTo(Math.log(4), 5),
        aum: expect.closeTo(aum, 3),
        mean_confidence: expect.closeTo(0.25, 3),
      },
    });
  });

  it("of a ranking loss compare the samples of a group, which each sample needs", async () => {
    const app = await open();
    const pair = [
      { id: "a", label: 1, logits: 1, group: "q" },
      { id: "b", label: 0, logits: 1, group: "q" },
    ];
    expect((await observe(app, pair, { loss: "pairwise" })).status).toBe(200);
    expect((await read(app)).loss).toBeCloseTo(Math.LN2, 5);
    const { status, body } = await observe(app, [{ id: "a", label: 1, logits: 1 }], { loss: "pairwise" });
    expect(status).toBe(422);
    expect(body).toMatchObject({ code: "invalid_sample", faults: [{ path: "/samples/0/group" }] });
  });

  it("keep a history from which a new label computes anew, and a new text starts again", async () => {
    const app = await open();
    const at = (step: number) => ({ checkpoint: { name: `epoch-${step}`, step } });
    for (const [step, logits] of [
      [1, 1],
      [3, 3],
      [2, -2],
    ] as const)
      await observe(app, [{ id: "a", label: 1, logits, text_digest: "0123456789ab" }], at(step));
    expect(await read(app)).toMatchObject({ forgetting: 1, aum: expect.closeTo(2 / 3, 6), margin: -2 });
    await observe(app, [{ id: "a", label: 0, logits: 3 }], at(3));
    const relabelled = await read(app);
    expect(relabelled).toMatchObject({
      forgetting: 1,
      aum: expect.closeTo(-2 / 3, 6),
      text_digest: "0123456789ab",
    });
    expect(relabelled.history).toMatchObject({
      checkpoints: [{ step: 1 }, { step: 2 }, { step: 3, logits: [3] }],
    });
    await observe(app, [{ id: "a", label: 0, logits: 4, text_digest: "ba9876543210" }], at(4));
    expect(await read(app)).toMatchObject({ aum: -4, history: { checkpoints: [{ step: 4 }] } });
  });

  it("make the map of confidence and variability: easy, hard and ambiguous samples are in its corners", async () => {
    const app = await open();
    const kinds = [
      { count: 2, logits: [-4, -4] }, // hard: never confident
      { count: 3, logits: [4, -4] }, // ambiguous: the deviation is the largest, the mean one half
      { count: 4, logits: [4, 4] }, // easy
    ];
    for (const step of [0, 1]) {
      const samples = kinds.flatMap(({ count, logits }, kind) =>
        Array.from({ length: count }, (_, index) => ({
          id: `${kind}-${index}`,
          label: 1,
          logits: logits[step],
        })),
      );
      await observe(app, samples, { checkpoint: { name: `epoch-${step}`, step } });
    }
    const columns = "column=mean_confidence&column=variability&bins=3&map=true";
    const { body } = await call(app, "GET", `${D}/histograms?${columns}`);
    const sigmoid = 1 / (1 + Math.exp(-4));
    const { histograms, map } = histogramListSchema.parse(body);
    const [x, y] = histograms.map(({ edges }) => edges);
    expect([x?.[0], x?.[3]]).toEqual([expect.closeTo(1 - sigmoid, 6), expect.closeTo(sigmoid, 6)]);
    expect([y?.[0], y?.[3]]).toEqual([expect.closeTo(0, 6), expect.closeTo(sigmoid - 0.5, 6)]);
    expect(map).toEqual([
      [2, 0, 4],
      [0, 0, 0],
      [0, 3, 0],
    ]);
  });

  it("refuse the same checkpoint with another step, and write nothing", async () => {
    const app = await open();
    await observe(app, [{ id: "a", label: 1, logits: 1 }]);
    const again = { checkpoint: { name: "epoch-1", step: 101 } };
    const { status, body } = await observe(app, [{ id: "b", label: 1, logits: 1 }], again);
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: "checkpoint_conflict", faults: [{ path: "/checkpoint/step" }] });
    const samples = [{ id: "b", text: "x", label: 1 }];
    const scored = await call(app, "POST", "/v1/score", { dataset: "d", samples, ...again });
    expect(scored).toMatchObject({ status: 409, body: { code: "checkpoint_conflict" } });
    expect((await call(app, "GET", `${D}/samples/b`)).status).toBe(404);
  });

  it("count what comes late for a history, and leave it", async () => {
    const app = await open();
    const at = (step: number) => ({ checkpoint: { name: `epoch-${step}`, step } });
    const sample = { id: "a", label: 1, logits: 1 };
    for (let step = 1; step <= 18; step++) await observe(app, [sample], at(step));
    const { history } = await read(app);
    expect(history).toMatchObject({ merged: { checkpoints: 2, through: { name: "epoch-2", step: 2 } } });
    const { body } = await observe(app, [sample, { ...sample, id: "b" }], at(2));
    expect(body).toMatchObject({ samples: 2, late: 1 });
    expect((await read(app)).history).toEqual(history);
  });

  it("keep gradient signals of a scored text with their model, and the text's digest", async () => {
    const app = await open();
    await score(app, { signals: ["loss", "grad_norm", "sensitivity", "grad_norm_last"] });
    const before = await read(app);
    await observe(app, [{ id: "a", label: 1, logits: -3 }], { mode: "train" });
    const after = await read(app);
    const model = before.model as string;
    expect(after).toMatchObject({
      ...{
        grad_norm: before.grad_norm,
        sensitivity: before.sensitivity,
        grad_norm_last: before.grad_norm_last,
      },
      ...{ margin: -3, observed: "train", model: "observed", text_digest: before.text_digest },
      earlier: { grad_norm: model, sensitivity: model, grad_norm_last: model },
    });

    await observe(app, [{ id: "a", label: 0, logits: -3, feature_norm: 1 }]);
    const relabelled = await read(app);
    expect(relabelled).toMatchObject({ sensitivity: before.sensitivity, earlier: { sensitivity: model } });
    expect(relabelled).not.toHaveProperty("grad_norm");
    expect(relabelled.grad_norm_last).toBeCloseTo(Math.SQRT2 / (1 + Math.exp(3)), 6);

    await observe(app, [{ id: "a", label: 0, logits: -3, text_digest: "ffffffffffff" }]);
    expect(await read(app)).toMatchObject({ earlier: {}, text_digest: "ffffffffffff" });
  });

  it("give way to a run, which finds the signals that its model computed before", async () => {
    const app = await open();
    await score(app, { signals: ["grad_norm"], checkpoint: { name: "epoch-0", step: 0 } });
    const { grad_norm } = await read(app);
    await observe(app, [{ id: "a", label: 1, logits: -3 }]);
    await score(app, { signals: ["loss"] });
    const after = await read(app);
    expect(after).toMatchObject({ observed: null, earlier: {}, grad_norm });
    expect(after).not.toHaveProperty("margin");
    expect(after.history).toMatchObject({
      checkpoints: [{ name: "epoch-0" }, { name: "epoch-1", logits: [-3] }],
    });
    expect(after.mean_confidence).toBeGreaterThan(0);
  });

  it("are weighed by signals of history; what was run, trained and evaluated draws advice when it is mixed", async () => {
    const app = await open();
    await observe(app, [
      { id: "a", label: 1, logits: 1 },
      { id: "b", label: 0, logits: 2 },
    ]);
    const weighting = { signal: "mean_confidence", scheme: "inverse" };
    const weigh = async (by: object): Promise<string[]> =>
      ((await post(app, `${D}/weights`, { weighting: by })) as { diagnostics: { advice: string[] } })
        .diagnostics.advice;
    expect(await weigh(weighting)).not.toContainEqual(expect.stringMatching(/comparable|no longer served/));
    const found = await post(app, `${D}/lookup`, { ids: ["a", "missing"] });
    const { results } = lookUpAnswerSchema.parse(found);
    expect(results).toMatchObject([{ observed: "eval", stale: false, aum: 1 }, null]);
    expect(results[0]?.weight).toBeLessThan(0.5);

    await observe(app, [{ id: "b", label: 0, logits: 2 }], { mode: "train" });
    expect(await weigh(weighting)).toContainEqual(
      "Some outputs were observed by a trainer in mode eval, others observed by a trainer in mode train, so their signals are not comparable.",
    );
    await score(app, {}, { id: "b", label: 0 });
    expect(await weigh({ signal: "loss", scheme: "rank" })).toContainEqual(
      expect.stringContaining("computed by a model of this service"),
    );
  });

  it("come as a stream of lines of any length, written in batches", async () => {
    const app = await open();
    const samples = Array.from({ length: 5000 }, (_, index) => ({
      id: `s${index}`,
      label: index % 2,
      logits: index / 5000,
    }));
    const query = { checkpoint: "epoch-1", step: "100", loss: "bce", mode: "eval", model: "bert" };
    const { status, last } = await stream(app, lines(samples), query);
    expect(status).toBe(200);
    expect(last).toEqual({ dataset: "d", model: "bert", checkpoint: CHECKPOINT, samples: 5000, late: 0 });
    expect(await read(app, "s4999")).toMatchObject({
      model: "bert",
      stale: false,
      margin: expect.closeTo(0.9998, 6),
    });

    const fault = await stream(app, lines([samples[0], { id: "x", label: 7, logits: 1 }]), query);
    expect(fault).toMatchObject({
      status: 422,
      last: { code: "unsuitable_label", faults: [{ path: "line 2/label" }] },
    });
    const missing = await stream(app, lines(samples.slice(0, 1)), { loss: "bce", mode: "eval" });
    expect(missing).toMatchObject({
      status: 400,
      last: { faults: [{ path: "checkpoint" }, { path: "step" }] },
    });
  });

  it.each([
    [
      "another number of logits",
      [{ id: "b", label: 1, logits: [1, 2] }],
      {},
      "invalid_sample",
      "/samples/1/logits",
    ],
    ["a repeated id", [{ id: "a", label: 1, logits: 1 }], {}, "duplicate_id", "/samples/1/id"],
    [
      "a label of another loss",
      [{ id: "b", label: 3, logits: 1 }],
      {},
      "unsuitable_label",
      "/samples/1/label",
    ],
    ["a loss of several logits", [], { loss: "cross_entropy" }, "unsuitable_loss", "/loss"],
    ["no label", [{ id: "b", logits: 1 }], {}, "invalid_request", "/samples/1/label"],
    ["a text", [{ id: "b", label: 1, logits: 1, text: "x" }], {}, "invalid_request", "/samples/1/text"],
    [
      "a logit that is no number",
      [{ id: "b", label: 1, logits: "1" }],
      {},
      "invalid_request",
      "/samples/1/logits",
    ],
    ["a step below 0", [], { checkpoint: { name: "e", step: -1 } }, "invalid_request", "/checkpoint/step"],
    ["an unknown mode", [], { mode: "test" }, "invalid_request", "/mode"],
  ])("with %s are refused as a whole", async (_, more, facts, code, path) => {
    const app = await open();
    const { status, body } = await observe(app, [{ id: "a", label: 1, logits: 1 }, ...more], facts);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body).toMatchObject({ code, faults: [{ path }] });
    expect((await call(app, "GET", D)).status).toBe(404);
  });
}

describe("a score request with a checkpoint", () => {
  it("needs a dataset", async () => {
    const app = await testApp();
    const body = { samples: [{ id: "a", text: "x", label: 1 }], checkpoint: CHECKPOINT };
    expect(await call(app, "POST", "/v1/score", body)).toMatchObject({
      status: 400,
      body: { faults: [{ path: "/checkpoint" }] },
    });
  });

  it("cannot ask for a signal of history, which only a dataset has", async () => {
    const app = await testApp();
    const body = {
      samples: [{ id: "a", text: "x", label: 1 }],
      weighting: { signal: "aum", scheme: "rank" },
    };
    const { status, body: problem } = await call(app, "POST", "/v1/score", body);
    expect(status).toBe(422);
    expect(problem).toMatchObject({ code: "unsuitable_signal", faults: [{ path: "/weighting/signal" }] });
    expect(JSON.stringify(problem)).toContain("weigh the dataset by it");
  });
});

describe("a service without a default model", () => {
  it("is ready, takes observations and weighs them, and refuses to score", async () => {
    const rankers: Rankers = { ...fakeRankers(), defaultName: null, describe: () => [] };
    const app = await testApp({ rankers });
    expect((await call(app, "GET", "/readyz")).status).toBe(200);
    expect((await call(app, "GET", "/v1/models")).body).toMatchObject({ default: null });
    await observe(app, [{ id: "a", label: 1, logits: 1 }]);
    await post(app, `${D}/weights`, { weighting: { signal: "aum", scheme: "rank" } });
    expect((await read(app)).weight).toBe(1);
    const refused = await call(app, "POST", "/v1/score", { samples: [{ text: "x", label: 1 }] });
    expect(refused).toMatchObject({ status: 404, body: { code: "model_not_found" } });
    expect(JSON.stringify(refused.body)).toContain("name a model");
  });
});
