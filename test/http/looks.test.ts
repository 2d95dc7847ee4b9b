import type { FastifyInstance } from "fastify";
import { expect, it } from "vitest";
import { histogramListSchema, rankedPageSchema, sliceListSchema } from "../../src/http/schemas/look.js";
import { testApp } from "../support/app.js";

async function scored(app: FastifyInstance, from: number, to: number): Promise<void> {
  const samples = Array.from({ length: to - from }, (_, index) => ({
    id: `s${from + index}`,
    text: `text ${from + index}`,
    label: (from + index) % 2,
    source: "crawl",
    extras: { clicks: from + index },
  }));
  const answer = await app.inject({ method: "POST", url: "/v1/score", payload: { dataset: "d", samples } });
  expect(answer.statusCode).toBe(200);
}

async function get(app: FastifyInstance, path: string) {
  const answer = await app.inject(`/v1/datasets/d/${path}`);
  return { status: answer.statusCode, body: answer.json() };
}

it("pages through a dataset by any column", async () => {
  const app = await testApp();
  await scored(app, 0, 20);
  const losses: number[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const { body } = await get(app, `samples?limit=6${cursor === "" ? "" : `&cursor=${cursor}`}`);
    const page = rankedPageSchema.parse(body);
    losses.push(...page.samples.map(({ loss }) => loss as number));
    cursor = page.next_cursor;
  }
  expect(losses).toHaveLength(20);
  expect(losses).toEqual([...losses].sort((a, b) => b - a));
  const { body } = await get(
    app,
    "samples?sort=extras.clicks&range=extras.clicks:3..&label=0&source=crawl&limit=2",
  );
  expect(body.samples.map(({ id }: { id: string }) => id)).toEqual(["s4", "s6"]);
  expect(body.samples[0]).toMatchObject({ label: 0, source: "crawl", extras: { clicks: 4 }, stale: false });
});

it("shows changes of a small dataset at once", async () => {
  const app = await testApp();
  await scored(app, 0, 4);
  const before = await get(app, "samples?sort=extras.clicks");
  expect(before.body.samples.map(({ id }: { id: string }) => id)).toEqual(["s0", "s1", "s2", "s3"]);
  // 6 bytes in hex, also after the way from the thread that sorts.
  expect(before.body.samples[0].text_digest).toMatch(/^[0-9a-f]{12}$/);
  await app.inject({ method: "DELETE", url: "/v1/datasets/d/samples/s1" });
  await scored(app, 4, 5);
  const { body } = await get(app, "samples?sort=-extras.clicks");
  expect(body.samples.map(({ id }: { id: string }) => id)).toEqual(["s4", "s3", "s2", "s0"]);
});

it("counts columns and pairs of them", async () => {
  const app = await testApp();
  await scored(app, 0, 20);
  const { body } = await get(app, "histograms?column=extras.clicks&column=loss&bins=5&map=true");
  const { histograms, map } = histogramListSchema.parse(body);
  expect(histograms.map(({ column }) => column)).toEqual(["extras.clicks", "loss"]);
  expect(histograms[0]?.counts).toEqual([4, 4, 4, 4, 4]);
  expect(map?.flat().reduce((a, b) => a + b)).toBe(20);
});

it("compares the sources of a dataset", async () => {
  const app = await testApp();
  await scored(app, 0, 20);
  const { body } = await get(app, "slices?column=loss&column=extras.clicks&label=1");
  const { samples, slices } = sliceListSchema.parse(body);
  expect(samples).toBe(10);
  expect(slices).toMatchObject([{ name: "crawl", samples: 10, share: 1, labelled: 10, weight_share: null }]);
  expect(slices[0]?.means[1]).toMatchObject({ column: "extras.clicks", count: 10, mean: 10 });
});

it.each([
  ["samples?sort=nothing", 422, "unsuitable_signal"],
  ["samples?sort=--loss", 400, "invalid_request"],
  ["samples?range=loss", 400, "invalid_request"],
  ["samples?range=loss:a..b", 400, "invalid_request"],
  ["samples?label=x", 400, "invalid_request"],
  ["samples?cursor=zz", 400, "invalid_request"],
  ["samples?limit=0", 400, "invalid_request"],
  ["histograms?bins=1000", 400, "invalid_request"],
  ["histograms?column=nothing", 422, "unsuitable_signal"],
  ["slices?by=group", 400, "invalid_request"],
  ["slices?limit=0", 400, "invalid_request"],
  ["slices?column=nothing", 422, "unsuitable_signal"],
])("refuses %s", async (path, status, code) => {
  const app = await testApp();
  await scored(app, 0, 2);
  expect(await get(app, path)).toMatchObject({ status, body: { code } });
});

it("has no samples, histograms and slices of an unknown dataset", async () => {
  const app = await testApp();
  for (const path of ["samples", "histograms", "slices"])
    expect(await get(app, path)).toMatchObject({ status: 404, body: { code: "dataset_not_found" } });
});

it("gives a sample that comes after the weighing a weight by its normaliser, and says so", async () => {
  const app = await testApp();
  await scored(app, 0, 6);
  const weigh = (weighting: object) =>
    app.inject({ method: "POST", url: "/v1/datasets/d/weights", payload: { weighting } });
  const lookUp = async (ids: readonly string[]) =>
    (await app.inject({ method: "POST", url: "/v1/datasets/d/lookup", payload: { ids } })).json().results;
  for (const weighting of [
    { signal: "loss", scheme: "proportional", smoothing: 0.2 },
    { signal: "loss", scheme: "proportional", base: "clicks", balance: true, normalise: "mean" },
    {
      mix: [
        { signal: "loss", share: 1 },
        { signal: "grad_norm_last", share: 2 },
      ],
      scheme: "rank",
    },
  ]) {
    expect((await weigh(weighting)).statusCode).toBe(200);
    const [before] = await lookUp(["s4"]);
    expect(before.later).toBeUndefined();
    // The same sample again under a new id: it has the same signals, so it gets the same weight.
    await app.inject({ method: "DELETE", url: "/v1/datasets/d/samples/twin" });
    const twin = { id: "twin", text: "text 4", label: 0, extras: { clicks: 4 } };
    await app.inject({ method: "POST", url: "/v1/score", payload: { dataset: "d", samples: [twin] } });
    const [after] = await lookUp(["twin"]);
    expect(after.later).toBe(true);
    expect(after.weight / before.weight).toBeCloseTo(1, 6);
    const one = (await app.inject("/v1/datasets/d/samples/twin")).json();
    expect(one).toMatchObject({ later: true, weight: after.weight });
  }
});

it("weighs a dataset by a kept extra and by class balance, and refuses what samples lack", async () => {
  const app = await testApp();
  await scored(app, 0, 6);
  const weigh = async (weighting: object) => {
    const payload = { weighting: { signal: "loss", scheme: "uniform", ...weighting } };
    const answer = await app.inject({ method: "POST", url: "/v1/datasets/d/weights", payload });
    return { status: answer.statusCode, body: answer.json() };
  };
  expect((await weigh({ base: "clicks" })).status).toBe(200);
  const ids = [0, 1, 2, 3, 4, 5].map((index) => `s${index}`);
  const { results } = (
    await app.inject({ method: "POST", url: "/v1/datasets/d/lookup", payload: { ids } })
  ).json();
  const weights: number[] = results.map(({ weight }: { weight: number }) => weight);
  for (const [index, weight] of weights.entries()) expect(weight).toBeCloseTo(index / 15, 6);
  expect(await weigh({ base: "price" })).toMatchObject({
    status: 422,
    body: { code: "unsuitable_signal", faults: [{ path: "/weighting/base" }] },
  });
  const unlabelled = { dataset: "d", samples: [{ id: "u", text: "u" }], signals: ["entropy"] };
  await app.inject({ method: "POST", url: "/v1/score", payload: unlabelled });
  expect(await weigh({ signal: "entropy", balance: true })).toMatchObject({ status: 422 });
});
