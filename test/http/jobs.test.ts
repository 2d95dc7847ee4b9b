import { setImmediate as turn } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { expect, it } from "vitest";
import { jobSchema } from "../../src/http/schemas/job.js";
import type { Store } from "../../src/store/port.js";
import { sample } from "../store/conformance/records.js";
import { temporaryStore, testApp } from "../support/app.js";
import { until } from "../support/until.js";

const weighting = { weighting: { signal: "loss", scheme: "rank" } };

async function scoredApp(): Promise<FastifyInstance> {
  const app = await testApp();
  const samples = [0, 1, 1].map((label, index) => ({ id: `s${index}`, text: `text ${index}`, label }));
  const { statusCode } = await app.inject({
    method: "POST",
    url: "/v1/score",
    payload: { dataset: "d", samples },
  });
  expect(statusCode).toBe(200);
  return app;
}

async function weigh(app: FastifyInstance, headers: Record<string, string>, payload: object = weighting) {
  const answer = await app.inject({ method: "POST", url: "/v1/datasets/d/weights", headers, payload });
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() };
}

it("answers a job at once if the client prefers so, and the job has the result later", async () => {
  const app = await scoredApp();
  const { status, headers, body } = await weigh(app, { prefer: "wait=5, respond-async" });
  expect(status).toBe(202);
  expect(headers["preference-applied"]).toBe("respond-async");
  const begun = jobSchema.parse(body);
  expect(begun).toMatchObject({ kind: "weigh", dataset: "d", result: null, problem: null });
  expect(headers.location).toBe(`/v1/jobs/${begun.id}`);
  await until(async () => {
    const job = jobSchema.parse((await app.inject(`/v1/jobs/${begun.id}`)).json());
    expect(job).toMatchObject({
      state: "done",
      progress: 1,
      result: { snapshot: { version: 1, samples: 3 } },
    });
  });
  const { jobs } = (await app.inject("/v1/jobs")).json();
  expect(jobs.map(({ id }: { id: string }) => id)).toEqual([begun.id]);
  const cancelled = await app.inject({ method: "DELETE", url: `/v1/jobs/${begun.id}` });
  expect(cancelled.json()).toMatchObject({ state: "done" });
});

it("finds what is wrong with the request before there is a job", async () => {
  const app = await scoredApp();
  const unsuited = { weighting: { signal: "margin", scheme: "proportional" } };
  expect(await weigh(app, { prefer: "respond-async" }, unsuited)).toMatchObject({
    status: 422,
    body: { code: "unsuitable_weighting" },
  });
  expect((await app.inject("/v1/jobs")).json()).toEqual({ jobs: [] });
});

it("tells why a job failed as the request would have been told", async () => {
  const app = await scoredApp();
  const lacking = { weighting: { signal: "entropy", scheme: "rank" } };
  const { body } = await weigh(app, { prefer: "respond-async" }, lacking);
  await until(async () => {
    const job = (await app.inject(`/v1/jobs/${body.id}`)).json();
    expect(job).toMatchObject({
      state: "failed",
      result: null,
      problem: { code: "unsuitable_signal", status: 422 },
    });
  });
});

it("has no job of an unknown id", async () => {
  const app = await testApp();
  for (const method of ["GET", "DELETE"] as const)
    expect((await app.inject({ method, url: "/v1/jobs/7" })).json()).toMatchObject({
      status: 404,
      code: "job_not_found",
    });
});

it("does the same weighing under the same key once, and refuses another under it", async () => {
  const app = await scoredApp();
  const key = { "idempotency-key": "epoch-3" };
  const first = await weigh(app, key);
  expect(first).toMatchObject({ status: 200, body: { snapshot: { version: 1 } } });
  expect((await weigh(app, {})).body.snapshot.version).toBe(2);
  const { status, body } = await weigh(app, key);
  expect({ status, body }).toEqual({ status: 200, body: first.body });
  const other = { weighting: { signal: "loss", scheme: "uniform" } };
  expect(await weigh(app, key, other)).toMatchObject({ status: 409, body: { code: "idempotency_conflict" } });
  expect((await weigh(app, { "idempotency-key": "epoch-4" }, other)).body.snapshot.version).toBe(3);
});

it("looks up the weights of a snapshot that is kept, and lists them", async () => {
  const app = await scoredApp();
  for (const scheme of ["rank", "uniform"]) await weigh(app, {}, { weighting: { signal: "loss", scheme } });
  const lookUp = async (payload: object) =>
    (await app.inject({ method: "POST", url: "/v1/datasets/d/lookup", payload })).json();
  const ids = ["s0", "s1", "s2"];
  const weights = ({ results }: { results: { weight: number }[] }) => results.map(({ weight }) => weight);
  const newest = await lookUp({ ids });
  expect(newest).toMatchObject({ snapshot: 2, weight_sum: 1 });
  for (const weight of weights(newest)) expect(weight).toBeCloseTo(1 / 3, 12);
  const first = await lookUp({ ids, snapshot: 1 });
  expect(first.snapshot).toBe(1);
  expect(new Set(weights(first)).size).toBe(3);
  expect(await lookUp({ ids, snapshot: 3 })).toMatchObject({ status: 404, code: "snapshot_not_found" });
  await app.inject({ method: "DELETE", url: "/v1/datasets/d/samples/s0" });
  const sum = 1 - (weights(first)[0] as number);
  expect((await lookUp({ ids, snapshot: 1 })).weight_sum).toBeCloseTo(sum, 12);
  const { snapshots } = (await app.inject("/v1/datasets/d/snapshots")).json();
  expect(snapshots.map(({ version }: { version: number }) => version)).toEqual([2, 1]);
  expect(snapshots[1].weight_sum).toBeCloseTo(sum, 12);
});

it("ends the work of a request whose time is over, and lets the next one run", async () => {
  const store = await temporaryStore();
  const stuck: Store = {
    ...store,
    async *scanSamples(dataset, snapshot) {
      for (;;) {
        yield* store.scanSamples(dataset, snapshot);
        await turn();
      }
    },
  };
  await store.writeSamples("d", [{ id: "a", record: sample() }]);
  const app = await testApp({ store: stuck });
  const answer = await app.inject({
    method: "POST",
    url: "/v1/datasets/d/select",
    headers: { "assay-timeout-ms": "200" },
    payload: { method: "top", size: 1, signal: "loss" },
  });
  expect(answer.json()).toMatchObject({
    status: 504,
    code: "deadline_exceeded",
    detail: expect.stringContaining("The work has ended too"),
  });
  await until(async () =>
    expect((await app.inject("/v1/jobs")).json().jobs).toMatchObject([{ state: "cancelled" }]),
  );
});
