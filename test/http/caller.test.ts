import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { AssayError } from "../../src/errors.js";
import type { Store } from "../../src/store/port.js";
import { temporaryStore, testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";

const samples = ["a", "b", "a", "c"].map((text) => ({ text, label: 1 }));

function post(app: Awaited<ReturnType<typeof testApp>>, headers: Record<string, string> = {}) {
  return app.inject({ method: "POST", url: "/v1/score", payload: { samples }, headers });
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
      new AssayError("text_refused", { faults: [{ path: "/2", message: "ended the engine" }] }),
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
