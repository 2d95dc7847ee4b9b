import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { TEST_LIMITS, testApp } from "../support/app.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";

const limits = { ...TEST_LIMITS, samplesMax: 2048, idsMax: 10_000, bodyBytesMax: 2 ** 24 };

function samplesOf(count: number, kind: string) {
  return Array.from({ length: count }, (_, index) => ({
    id: `${kind}:${index}`,
    query: "usb c cable",
    document: `USB-C charging cable, 2 m, braided, no. ${kind} ${index}`,
    label: index % 2,
  }));
}

interface Answered {
  readonly status: number;
  /** From the request's head to the last byte of its answer, by a clock of the test's own. */
  readonly elapsedMs: number;
  readonly stagesMs: ReadonlyMap<string, number>;
}

/** Serves the app on a port and answers how it spent the time of each call. */
async function listening(app: FastifyInstance): Promise<(path: string, body?: object) => Promise<Answered>> {
  let elapsed: Promise<number> = Promise.resolve(0);
  app.server.prependListener("request", (_request, response) => {
    const startedAtMs = performance.now();
    elapsed = new Promise((resolve) =>
      response.once("finish", () => resolve(performance.now() - startedAtMs)),
    );
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  return async (path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      headers: { "content-type": "application/json" },
    });
    await response.arrayBuffer();
    return {
      status: response.status,
      elapsedMs: await elapsed,
      stagesMs: parseServerTiming(response.headers.get("server-timing") ?? ""),
    };
  };
}

function parseServerTiming(header: string): Map<string, number> {
  return new Map(
    [...header.matchAll(/(\w+);dur=([\d.]+)/g)].map(([, stage, ms]) => [stage as string, Number(ms)]),
  );
}

/** What no stage accounts for, less what is allowed: at most 0. */
function excessMs({ elapsedMs, stagesMs }: Answered): number {
  const attributed = [...stagesMs].reduce((sum, [stage, ms]) => sum + (stage === "total" ? 0 : ms), 0);
  return elapsedMs - attributed - Math.max(0.1 * elapsedMs, 1);
}

describe("Server-Timing", () => {
  it.each([
    ["a small cold request", 1, false],
    ["a large cold request", 2048, false],
    ["a small cached request", 1, true],
    ["a large cached request", 2048, true],
  ])("leaves at most a tenth or a millisecond of %s unattributed", async (_, count, cached) => {
    const ranker = fakeRanker();
    ranker.setDelayMs(30);
    const call = await listening(await testApp({ rankers: fakeRankers(ranker), limits }));
    const body = (kind: number) => ({
      samples: samplesOf(count, cached ? "same" : String(kind)),
      dataset: "d",
    });
    const excesses: number[] = [];
    for (let kind = 0; kind < 7; kind++) {
      const answered = await call("/v1/score", body(kind));
      expect(answered.status).toBe(200);
      expect(answered.stagesMs.has("infer")).toBe(!cached || kind === 0);
      excesses.push(excessMs(answered));
    }
    // The median: the machine may do something else in the middle of a request.
    expect(excesses.sort((a, b) => a - b)[3]).toBeLessThanOrEqual(0);
  });

  it("leaves as little of a look-up of 10,000 ids", async () => {
    const call = await listening(await testApp({ limits }));
    const samples = samplesOf(2048, "known");
    await call("/v1/score", { samples, dataset: "d" });
    const ids = Array.from({ length: 10_000 }, (_, index) => `known:${index}`);
    const answers = [];
    for (let i = 0; i < 7; i++) answers.push(await call("/v1/datasets/d/lookup", { ids }));
    expect(answers.every(({ status, stagesMs }) => status === 200 && stagesMs.has("lookup"))).toBe(true);
    expect(answers.map(excessMs).sort((a, b) => a - b)[3]).toBeLessThanOrEqual(0);
  });

  it("gives what a run took beside the engine's own stages to ipc", async () => {
    const ranker = fakeRanker();
    ranker.setDelayMs(100); // of which it reports 0.6 ms as its stages
    const call = await listening(await testApp({ rankers: fakeRankers(ranker) }));
    const { stagesMs } = await call("/v1/score", { samples: samplesOf(2, "x") });
    expect(stagesMs.get("tokenise")).toBeCloseTo(0.1, 1);
    expect(stagesMs.get("ipc")).toBeGreaterThan(90);
  });

  it("has a total that its stages add up to", async () => {
    const call = await listening(await testApp());
    const { stagesMs } = await call("/v1/score", { samples: samplesOf(3, "x"), dataset: "d" });
    const { total, ...stages } = Object.fromEntries(stagesMs);
    const sum = Object.values(stages).reduce((a, b) => a + b);
    expect(Math.abs((total as number) - sum)).toBeLessThan(0.01 * stagesMs.size);
    expect(Object.keys(stages)).toEqual([
      ...["receive", "parse", "validate", "cache", "tokenise", "queue", "infer", "ipc"],
      ...["signals", "weigh", "keep", "serialise"],
    ]);
  });

  it("stands in the answers of other routes and in problems too", async () => {
    const call = await listening(await testApp());
    expect((await call("/v1/models")).stagesMs.has("handle")).toBe(true);
    for (const [path, status] of [
      ["/v1/datasets/nobody", 404],
      ["/nothing", 404],
    ] as const) {
      const answered = await call(path);
      expect(answered.status).toBe(status);
      expect(answered.stagesMs.has("total")).toBe(true);
    }
    const refused = await call("/v1/score", { samples: [{}] });
    expect(refused.status).toBe(400);
    expect(refused.stagesMs.has("parse")).toBe(true);
  });
});

describe("assay_stage_seconds", () => {
  it("adds up to assay_request_seconds of the route", async () => {
    const ranker = fakeRanker();
    ranker.setDelayMs(20);
    const app = await testApp({ rankers: fakeRankers(ranker), limits });
    const call = await listening(app);
    const requests = 5;
    for (let kind = 0; kind < requests; kind++)
      await call("/v1/score", { samples: samplesOf(500, String(kind)), dataset: "d" });
    const text = (await app.inject("/metrics")).body;
    const sumOf = (metric: string): number =>
      [...text.matchAll(new RegExp(`^${metric}_sum\\{.*route="/v1/score".*\\} (\\S+)$`, "gm"))].reduce(
        (sum, [, seconds]) => sum + Number(seconds),
        0,
      );
    const whole = sumOf("assay_request_seconds");
    expect(whole).toBeGreaterThan(requests * 0.02);
    const difference = Math.abs(sumOf("assay_stage_seconds") - whole);
    expect(difference).toBeLessThan(Math.max(0.1 * whole, requests * 0.001));
    expect(text).toContain(`assay_stage_seconds_count{route="/v1/score",stage="cache"} ${requests}`);
  });
});
