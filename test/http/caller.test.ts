import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { AssayError } from "../../src/errors.js";
import type { Store } from "../../src/store/port.js";
import { temporaryStore, testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postScore } from "../support/inject.js";

const samples = ["a", "b", "a", "c"].map((text) => ({ text, label: 1 }));

function post(app: Awaited<ReturnType<typeof testApp>>, headers: Record<string, string> = {}) {
  return postScore(app, { samples }, headers);
}

describe("a caller's deadline", () => {
  it("answers 504 once the time is over", async () => {
    const ranker = fakeRanker();
    ranker.setDelayMs(200);
    const response = await post(await testApp({ rankers: fakeRankers(ranker) }), {
      "assay-timeout-ms": "20",
    });
    expect(response.statusCode).toBe(504);
    expect(response.json()).toMatchObject({
      code: "deadline_exceeded",
      detail: expect.stringContaining("20 ms"),
    });
  });

  it("holds for samples that are all cached", async () => {
    const store = await temporaryStore();
    await post(await testApp({ store }));
    const slow: Store = {
      ...store,
      async readOutputs(keys) {
        await delay(100);
        return store.readOutputs(keys);
      },
    };
    const ranker = fakeRanker();
    const response = await post(await testApp({ rankers: fakeRankers(ranker), store: slow }), {
      "assay-timeout-ms": "20",
    });
    expect(response.statusCode).toBe(504);
    expect(ranker.ran).toEqual([]);
  });

  it("leaves time for the model where the store hangs and no dataset is named", async () => {
    const store = await temporaryStore();
    const hung: Store = { ...store, readOutputs: () => new Promise(() => {}) };
    const response = await post(await testApp({ store: hung }), { "assay-timeout-ms": "2000" });
    expect(response.statusCode).toBe(200);
    expect(response.json().diagnostics.advice).toContainEqual(
      expect.stringMatching(/^The store does not answer/),
    );
  });

  it.each([
    ["POST", "/v1/score", { dataset: "d", samples: [{ id: "a", text: "a", label: 1 }] }],
    ["POST", "/v1/datasets/d/lookup", { ids: ["a"] }],
    ["POST", "/v1/datasets/d/weights", { weighting: { signal: "loss", scheme: "rank" } }],
    [
      "POST",
      "/v1/datasets/d/observations",
      {
        ...{ checkpoint: { name: "e1", step: 1 }, loss: "bce", mode: "eval" },
        samples: [{ id: "a", label: 1, logits: 1 }],
      },
    ],
    ["GET", "/v1/datasets", undefined],
    ["GET", "/v1/datasets/d", undefined],
    ["DELETE", "/v1/datasets/d", undefined],
    ["GET", "/v1/datasets/d/samples/a", undefined],
    ["DELETE", "/v1/datasets/d/samples/a", undefined],
    ["GET", "/v1/directions", undefined],
    ["GET", "/v1/directions/v", undefined],
    ["DELETE", "/v1/directions/v", undefined],
  ] as const)("holds while the store hangs: %s %s", async (method, url, payload) => {
    const store = await temporaryStore();
    const never = () => new Promise<never>(() => {});
    const hung: Store = {
      ...store,
      writeSamples: never,
      lookUp: never,
      readSamples: never,
      readHistories: never,
      deleteSample: never,
      readDataset: never,
      listDatasets: never,
      deleteDataset: never,
      readDirection: never,
      listDirections: never,
      deleteDirection: never,
    };
    const app = await testApp({ store: hung });
    const response = await app.inject({
      method,
      url,
      headers: { "assay-timeout-ms": "50" },
      ...(payload && { payload }),
    });
    expect(response.statusCode).toBe(504);
    expect(response.json()).toMatchObject({ code: "deadline_exceeded" });
  });

  it("answers 200 where there is time", async () => {
    expect((await post(await testApp(), { "assay-timeout-ms": "60000" })).statusCode).toBe(200);
  });

  it.each(["0", "-5", "1.5", "soon", "99999999"])("refuses assay-timeout-ms: %s", async (text) => {
    const response = await post(await testApp(), { "assay-timeout-ms": text });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      code: "invalid_request",
      faults: [
        { path: "assay-timeout-ms", message: expect.stringContaining("whole number of milliseconds") },
      ],
    });
  });
});

describe("an error of the model", () => {
  it("names the sample whose text ended the engine", async () => {
    const ranker = fakeRanker();
    // The ranker runs each distinct text once: its third is the fourth sample.
    ranker.failWith(
      new AssayError("text_refused", { faults: [{ sample: 2, path: "", message: "ended the engine" }] }),
    );
    const response = await post(await testApp({ rankers: fakeRankers(ranker) }));
    expect(response.statusCode).toBe(422);
    expect(response.json()).toMatchObject({
      code: "text_refused",
      faults: [{ path: "/samples/3", message: "ended the engine" }],
    });
  });

  it("gives Retry-After as long as the queue needs, in whole seconds", async () => {
    const ranker = fakeRanker();
    ranker.failWith(new AssayError("overloaded", { retryAfterMs: 7300 }));
    const response = await post(await testApp({ rankers: fakeRankers(ranker) }));
    expect(response.statusCode).toBe(429);
    expect(response.headers["retry-after"]).toBe("8");
  });

  it("gives no Retry-After where only a reload helps", async () => {
    const ranker = fakeRanker();
    ranker.setState({ status: "failed", reason: "weights.bin is damaged" });
    const response = await post(await testApp({ rankers: fakeRankers(ranker) }));
    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ code: "model_not_ready" });
    expect(response.headers).not.toHaveProperty("retry-after");
  });

  it.each([
    ["model_not_ready", "info"],
    ["deadline_exceeded", "info"],
    ["engine_failed", "error"],
  ] as const)("%s is logged at level %s", async (code, level) => {
    const ranker = fakeRanker();
    ranker.failWith(new AssayError(code, { detail: "the reason" }));
    const lines: string[] = [];
    const logger = pino({ level: "info" }, { write: (line: string) => lines.push(line) });
    await post(await testApp({ rankers: fakeRankers(ranker), logger }));
    const told = lines
      .map((line) => JSON.parse(line))
      .filter((line) => JSON.stringify(line).includes("the reason"));
    expect(told.map((line) => logger.levels.labels[line.level])).toEqual([level]);
  });
});
