import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { jobSchema } from "../../src/http/schemas/job.js";
import { noiseAnswerSchema } from "../../src/http/schemas/noise.js";
import { testApp } from "../support/app.js";
import { describeOverBothStores } from "../support/both-stores.js";
import type { Json } from "../support/post.js";

const D = "/v1/datasets/d";
const SAMPLES = 900;
/** The share of label 1 grows with the place: p = place/SAMPLES. Three in ten of the 1 are labelled 0. */
const chanceOf = (index: number): number => (((index * 7) % SAMPLES) + 0.5) / SAMPLES;
const truthOf = (index: number): number => (chanceOf(index) > 0.4 ? 1 : 0);
const isWrong = (index: number): boolean => truthOf(index) === 1 && index % 10 < 3;
const labelOf = (index: number): number => (isWrong(index) ? 0 : truthOf(index));
const logitOf = (index: number): number => Math.log(chanceOf(index) / (1 - chanceOf(index)));
const idOf = (index: number): string => `s-${index}`;

interface Observation {
  readonly name: string;
  readonly step: number;
  readonly logit?: (index: number) => number;
  readonly label?: (index: number) => number | null;
  readonly samples?: number;
}

async function observe(
  app: FastifyInstance,
  { name, step, logit = logitOf, label = labelOf, samples = SAMPLES }: Observation,
): Promise<void> {
  const rows = Array.from({ length: samples }, (_, index) => ({
    id: idOf(index),
    logits: logit(index),
    label: label(index),
    group: `q${Math.floor(index / 5)}`,
    source: index % 2 === 0 ? "crawl" : undefined,
  }));
  for (let start = 0; start < rows.length; start += 60) {
    const response = await app.inject({
      method: "POST",
      url: `${D}/observations`,
      payload: {
        checkpoint: { name, step },
        loss: "bce",
        mode: "eval",
        samples: rows.slice(start, start + 60),
      },
    });
    expect(response.statusCode, response.body).toBe(200);
  }
}

async function answer(app: FastifyInstance, payload: object = {}) {
  const response = await app.inject({ method: "POST", url: `${D}/noise`, payload });
  expect(response.statusCode, response.body).toBe(200);
  const { suspects, ...rest } = noiseAnswerSchema.strict().parse(response.json());
  return { ...rest, suspects: suspects ?? [] };
}

async function problem(app: FastifyInstance, payload: object = {}): Promise<Json> {
  const response = await app.inject({ method: "POST", url: `${D}/noise`, payload });
  return response.json() as Json;
}

const OOF = { name: "oof", step: 10 };
/** What a model that has learned the labels by heart says. */
const LEARNED = { name: "epoch-1", step: 1, logit: (index: number) => (labelOf(index) === 1 ? 5 : -5) };

describeOverBothStores("POST …/noise", (openStore) => {
  it("ranks by held-out logits where the dataset has them, whatever else was observed", async () => {
    const app = await testApp({ store: await openStore() });
    await observe(app, OOF);
    await observe(app, { ...LEARNED, step: 20 });
    const found = await answer(app, { limit: 50 });
    expect(found).toMatchObject({
      dataset: "d",
      evidence: "held_out",
      method: "rates",
      samples: SAMPLES,
      without_label: 0,
      without_evidence: 0,
      planted: null,
    });
    const [zero, one] = found.rates ?? [];
    expect(zero).toMatchObject({ true_label: 0, rate: 0, anchors: SAMPLES / 4 });
    expect(one?.rate).toBeCloseTo(0.3, 1);
    expect(one?.used).toBe(one?.low);
    expect(found.suspects).toHaveLength(50);
    const wrong = found.suspects.filter(({ id }) => isWrong(Number(id.slice(2))));
    expect(wrong).toHaveLength(50);
    const [first] = found.suspects;
    expect(first).toMatchObject({ label: 0, suggested_label: 1, suggested_probability: first?.noise });
    expect(first?.reason).toMatch(
      /^Labelled 0, but a model that has not seen the sample gives 0 a probability of 0\.0\d+; with 2\d\.\d% of the true 1s labelled 0/,
    );
    const truth = Array.from({ length: SAMPLES }, (_, index) => index).filter(isWrong).length;
    expect(found.wrong_labels?.low).toBeLessThan(truth);
    expect(found.wrong_labels?.high).toBeGreaterThan(truth);
  });
});

describe("evidence", () => {
  it("is the history of two checkpoints without held-out logits, and says what that hides", async () => {
    const app = await testApp();
    await observe(app, LEARNED);
    await observe(app, { name: "epoch-2", step: 2 });
    const found = await answer(app);
    expect(found.evidence).toBe("history");
    expect(found.advice[0]).toMatch(/post the logits of models that have not seen the sample/);
    const index = 3;
    const mean = (chanceOf(index) + 1 / (1 + Math.exp(-LEARNED.logit(index)))) / 2;
    const sample = (await answer(app, { limit: SAMPLES })).suspects.find(({ id }) => id === idOf(index));
    expect(sample?.confidence).toBeCloseTo(labelOf(index) === 1 ? mean : 1 - mean, 3);
  });

  it("is the newest logits after one checkpoint, or on request", async () => {
    const app = await testApp();
    await observe(app, LEARNED);
    expect(await answer(app)).toMatchObject({ evidence: "newest", method: "loss" });
    await observe(app, OOF);
    expect((await answer(app)).evidence).toBe("held_out");
    expect((await answer(app, { evidence: "newest" })).evidence).toBe("newest");
  });

  it("leaves out samples without a label or without held-out logits, and counts them", async () => {
    const app = await testApp();
    await observe(app, {
      name: "epoch-1",
      step: 1,
      label: (index) => (index < 9 ? null : labelOf(index)),
    });
    await observe(app, { ...OOF, samples: 800, label: (index) => (index < 9 ? null : labelOf(index)) });
    const found = await answer(app);
    expect(found).toMatchObject({ samples: 791, without_label: 9, without_evidence: 100 });
    expect(found.advice.join(" ")).toMatch(/100 labelled samples lack the logits/);
  });

  it("is refused if no sample has it", async () => {
    const app = await testApp();
    await observe(app, LEARNED);
    expect(await problem(app, { evidence: "held_out", checkpoint: "folds" })).toMatchObject({
      status: 422,
      code: "unsuitable_signal",
      detail:
        '/evidence is held_out, and no labelled sample has held-out logits under the checkpoint "folds" for one logit and the loss bce',
    });
  });

  it("is refused if no label is 0 or 1", async () => {
    const app = await testApp();
    await observe(app, { ...OOF, label: () => 0.5 });
    expect(await problem(app)).toMatchObject({
      status: 422,
      detail: `None of the ${SAMPLES} samples of dataset d has the label 0 or 1, which suspects need`,
    });
  });
});

it("ranks by loss where the rates cannot be told apart, and says so", async () => {
  const app = await testApp();
  await observe(app, { ...OOF, label: truthOf });
  const found = await answer(app, { limit: SAMPLES });
  expect(found).toMatchObject({ method: "loss", rates: [{ used: null }, { used: null }] });
  expect(found.reason).toMatch(/cannot be told apart .* ranked by loss/);
  expect(found.suspects.map(({ noise }) => noise)).toEqual(
    found.suspects.map(({ confidence }) => expect.closeTo(1 - confidence, 12)),
  );
});

it("ranks by loss and estimates nothing with too few samples", async () => {
  const app = await testApp();
  await observe(app, { ...OOF, samples: 100 });
  expect(await answer(app)).toMatchObject({ method: "loss", rates: null, wrong_labels: null });
});

it("finds the threshold of planted flips, by class, and counts ids that it does not know", async () => {
  const app = await testApp();
  await observe(app, OOF);
  const planted = Array.from({ length: SAMPLES }, (_, index) => index).filter(isWrong);
  const { planted: found, suspects } = await answer(app, {
    planted: [...planted.map(idOf), "nowhere"],
    recall: 0.5,
    limit: SAMPLES,
  });
  expect(found).toMatchObject({ planted: planted.length, unknown: 1 });
  const flagged = suspects.filter(({ noise }) => noise >= (found?.threshold ?? 2));
  const caught = flagged.filter(({ id }) => isWrong(Number(id.slice(2)))).length;
  // Equal noise is flagged together, so it can be more than the half that was asked for.
  expect(caught).toBeGreaterThanOrEqual(planted.length / 2);
  expect(found?.flagged).toBe(flagged.length);
  expect(found?.recall).toEqual([
    { label: 0, planted: planted.length, recall: caught / planted.length },
    { label: 1, planted: 0, recall: null },
  ]);
});

it("is a job on request, whose suspects a list of jobs leaves out", async () => {
  const app = await testApp();
  await observe(app, OOF);
  const begun = await app.inject({
    method: "POST",
    url: `${D}/noise`,
    headers: { prefer: "respond-async" },
    payload: {},
  });
  expect(begun.statusCode).toBe(202);
  const { id, kind } = jobSchema.parse(begun.json());
  expect(kind).toBe("noise");
  await expect
    .poll(async () => jobSchema.parse((await app.inject(`/v1/jobs/${id}`)).json()))
    .toMatchObject({ state: "done", result: { evidence: "held_out", suspects: { length: 100 } } });
  const list = (await app.inject("/v1/jobs")).json() as { jobs: Json[] };
  expect(list.jobs[0]).toMatchObject({ result: { samples: SAMPLES, suspects: null } });
});

it("answers 404 for an unknown dataset", async () => {
  const app = await testApp();
  expect(await problem(app)).toMatchObject({ status: 404, code: "dataset_not_found" });
});
