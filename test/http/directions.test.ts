import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { AssayError } from "../../src/errors.js";
import type { Accumulation, Rankers } from "../../src/ranker/port.js";
import { resolveDirection } from "../../src/scoring/directions/known.js";
import type { Store } from "../../src/store/port.js";
import { TEST_LIMITS, temporaryStore, testApp } from "../support/app.js";
import { fakeGradients } from "../support/fake-gradients.js";
import { type FakeRanker, fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import type { Json } from "../support/post.js";

const NDJSON = { "content-type": "application/x-ndjson" };

interface TestSample {
  readonly text: string;
  readonly label: number | readonly number[] | null;
  readonly group?: string;
}

function samplesOf(count: number, prefix = "text"): TestSample[] {
  return Array.from({ length: count }, (_, i) => ({ text: `${prefix} ${i}`, label: i % 3 === 0 ? 1 : 0 }));
}

async function put(app: FastifyInstance, name: string, payload: object) {
  return app.inject({ method: "PUT", url: `/v1/directions/${name}`, payload });
}

async function putLines(app: FastifyInstance, path: string, lines: string | Buffer | readonly object[]) {
  const payload =
    typeof lines === "string" || Buffer.isBuffer(lines)
      ? lines
      : lines.map((line) => JSON.stringify(line)).join("\n");
  return app.inject({ method: "PUT", url: `/v1/directions/${path}`, headers: NDJSON, payload });
}

function linesOf(body: string): Json[] {
  return body
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** Entries of the kept vector. */
async function vectorOf(store: Store, name: string): Promise<number[]> {
  const info = await store.readDirection(name);
  if (info === null) throw new Error(`there is no direction ${name}`);
  const parts: Uint8Array[] = [];
  for await (const part of store.readDirectionVector(name, info.digest)) parts.push(part);
  const bytes = Buffer.concat(parts);
  return Array.from({ length: bytes.length / 4 }, (_, p) => bytes.readFloatLE(4 * p));
}

/** The mean of what `gradientOf` says of each sample, given its ∇z (K)(P) and logits (K) as the fake has them. */
async function expectedMean(
  ranker: FakeRanker,
  samples: readonly TestSample[],
  gradientOf: (rows: number[][], logits: number[], sample: TestSample) => number[],
): Promise<number[]> {
  const { classes } = ranker.model;
  const texts = samples.map(({ text }) => ({ first: text, second: null }));
  const caller = { signal: new AbortController().signal, deadlineAtMs: null };
  const { logits } = await ranker.run(texts, { graph: "forward", precision: "fp32" }, caller);
  const rows = samples.map((sample, i) =>
    gradientOf(
      fakeGradients({ first: sample.text, second: null }, classes),
      [...logits.subarray(i * classes, (i + 1) * classes)],
      sample,
    ),
  );
  return (rows[0] as number[]).map(
    (_, p) => rows.reduce((sum, row) => sum + (row[p] as number), 0) / rows.length,
  );
}

function combine(rows: readonly number[][], r: readonly number[]): number[] {
  return (rows[0] as number[]).map((_, p) =>
    rows.reduce((sum, row, k) => sum + (r[k] as number) * (row[p] as number), 0),
  );
}

function unit(vector: readonly number[]): number[] {
  const norm = Math.hypot(...vector);
  return vector.map((entry) => (norm === 0 ? 0 : entry / norm));
}

/** r of binary cross-entropy. */
function residual([z]: readonly number[], { label }: TestSample): number[] {
  return [1 / (1 + Math.exp(-(z as number))) - (label as number)];
}

function expectClose(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  for (const [p, entry] of found.entries()) expect(entry).toBeCloseTo(expected[p] as number, 5);
}

describe("PUT /v1/directions/{direction}", () => {
  it("keeps the mean loss gradient of the samples", async () => {
    const store = await temporaryStore();
    const ranker = fakeRanker();
    const app = await testApp({ store, rankers: fakeRankers(ranker) });
    const samples = samplesOf(40);
    const response = await put(app, "v", { kind: "loss_gradient", samples });
    expect(response.statusCode).toBe(200);
    const vector = await vectorOf(store, "v");
    expectClose(
      vector,
      await expectedMean(ranker, samples, (rows, z, sample) => combine(rows, residual(z, sample))),
    );
    expect(response.json()).toEqual({
      name: "v",
      kind: "loss_gradient",
      model: { name: "default", version: "0123456789abcdef" },
      gradient_scope: "all",
      loss: "bce",
      samples: 40,
      zero_gradients: 0,
      norm: expect.closeTo(Math.hypot(...vector), 6),
      preconditioned: false,
      coherence: null,
      bytes: 32,
      created_at: expect.stringMatching(/^20.*Z$/),
      stale: false,
    });
    expect((await app.inject("/v1/directions/v")).json()).toEqual(response.json());
  });

  it("keeps the mean unit gradient, counts samples without one, and says how coherent it is", async () => {
    const store = await temporaryStore();
    const ranker = fakeRanker();
    const app = await testApp({ store, rankers: fakeRankers(ranker) });
    const scored = await app.inject({
      method: "POST",
      url: "/v1/score",
      payload: { samples: [{ text: "text 0" }] },
    });
    const samples = samplesOf(12).map((sample, i) =>
      i === 0 ? { ...sample, label: scored.json().results[0].logit } : sample,
    );
    const response = await put(app, "v", { kind: "mean_direction", loss: "mse", samples });
    const vector = await vectorOf(store, "v");
    expectClose(
      vector,
      await expectedMean(ranker, samples, (rows, [z], { label }) =>
        unit(combine(rows, [2 * ((z as number) - (label as number))])),
      ),
    );
    const { coherence, norm, zero_gradients } = response.json();
    expect(zero_gradients).toBe(1);
    expect(coherence).toBeCloseTo(Math.hypot(...vector), 6);
    expect(coherence).toBe(norm);
    expect(coherence).toBeLessThan(1);
  });

  it("weighs several logits by r over the norm that their gram gives", async () => {
    const store = await temporaryStore();
    const ranker = fakeRanker({ task: "classification", classes: 3 });
    const app = await testApp({ store, rankers: fakeRankers(ranker) });
    const samples = samplesOf(20).map((sample, i) => ({
      ...sample,
      label: i % 4 === 0 ? [0.2, 0.3, 0.5] : i % 3,
    }));
    await put(app, "v", { kind: "mean_direction", samples });
    const expected = await expectedMean(ranker, samples, (rows, z, { label }) => {
      const total = z.reduce((sum, logit) => sum + Math.exp(logit), 0);
      const target = (k: number): number =>
        typeof label === "number" ? Number(label === k) : (label?.[k] ?? 0);
      return unit(
        combine(
          rows,
          z.map((logit, k) => Math.exp(logit) / total - target(k)),
        ),
      );
    });
    expectClose(await vectorOf(store, "v"), expected);
  });

  it("runs no model for outputs that are cached", async () => {
    const ranker = fakeRanker();
    const app = await testApp({ rankers: fakeRankers(ranker) });
    const samples = samplesOf(10);
    await put(app, "v", { kind: "mean_direction", samples });
    const relabelled = samples.map((sample) => ({ ...sample, label: 0.5 }));
    await put(app, "v", { kind: "mean_direction", samples: relabelled });
    expect(ranker.wanted).toEqual([{ graph: "norms", asked: [] }]);
  });

  it("refuses a list with a fault before anything runs, and names each sample", async () => {
    const store = await temporaryStore();
    const ranker = fakeRanker();
    const app = await testApp({ store, rankers: fakeRankers(ranker) });
    const samples: object[] = samplesOf(6);
    samples[2] = { text: "unlabelled" };
    samples[5] = { text: "unlabelled too", label: null };
    const absent = await put(app, "v", { kind: "loss_gradient", samples });
    expect(absent.json()).toMatchObject({
      status: 422,
      code: "missing_label",
      faults: [{ path: "/samples/2/label" }, { path: "/samples/5/label" }],
    });
    const unsuitable = await put(app, "v", { kind: "loss_gradient", samples: [{ text: "a", label: 3 }] });
    expect(unsuitable.json()).toMatchObject({
      code: "unsuitable_label",
      faults: [{ path: "/samples/0/label" }],
    });
    const loss = await put(app, "v", { kind: "loss_gradient", loss: "cross_entropy", samples: samplesOf(2) });
    expect(loss.json()).toMatchObject({ status: 422, code: "unsuitable_loss" });
    expect(ranker.ran).toEqual([]);
    expect(await store.readDirection("v")).toBeNull();
  });

  it.each([
    [{ kind: "steepest", samples: samplesOf(1) }, "/kind"],
    [{ samples: samplesOf(1) }, "/kind"],
    [{ kind: "loss_gradient", samples: [] }, "/samples"],
    [{ kind: "loss_gradient", samples: samplesOf(1), unknown: 1 }, "/unknown"],
  ])("refuses the body %j", async (body, path) => {
    const response = await put(await testApp(), "v", body);
    expect(response.json()).toMatchObject({ status: 400, code: "invalid_request", faults: [{ path }] });
  });

  it("says which graphs a model lacks", async () => {
    const app = await testApp({ rankers: fakeRankers(fakeRanker({ gradientGraphs: ["accumulate"] })) });
    expect((await put(app, "v", { kind: "loss_gradient", samples: samplesOf(2) })).statusCode).toBe(200);
    expect((await put(app, "v", { kind: "mean_direction", samples: samplesOf(2) })).json()).toMatchObject({
      status: 422,
      code: "unsuitable_graph",
      detail: expect.stringMatching(/no norms$/),
    });
  });

  it("refuses samples whose gradients have no mean direction", async () => {
    const app = await testApp();
    const samples = [{ text: "a", label: 1, group: "q" }];
    const response = await put(app, "v", { kind: "loss_gradient", loss: "pairwise", samples });
    expect(response.json()).toMatchObject({ status: 422, code: "direction_undefined" });
  });

  it("keeps as many names as the setting allows, and replaces those it has", async () => {
    const store = await temporaryStore();
    const app = await testApp({ store, limits: { ...TEST_LIMITS, directionsMax: 2 } });
    const body = { kind: "loss_gradient", samples: samplesOf(2) };
    for (const name of ["a", "b", "a"]) expect((await put(app, name, body)).statusCode).toBe(200);
    expect((await put(app, "c", body)).json()).toMatchObject({ status: 409, code: "directions_full" });
    const fewer = await testApp({ store, limits: { ...TEST_LIMITS, directionsMax: 1 } });
    expect((await put(fewer, "b", body)).statusCode, "one of more than are allowed by now").toBe(200);
    await app.inject({ method: "DELETE", url: "/v1/directions/a" });
    expect((await put(app, "c", body)).statusCode).toBe(200);
  });

  it("does not wait for the time that it is told when its own sums are what fills the queue", async () => {
    const ranker = fakeRanker();
    let adding = 0;
    const run: FakeRanker["run"] = async (...args) => {
      if (adding > 0) throw new AssayError("overloaded", { retryAfterMs: 60_000 });
      return ranker.run(...args);
    };
    const rankers = withAccumulation({ ...ranker, run }, (accumulation) => ({
      ...accumulation,
      async add(...args) {
        adding += 1;
        await delay(30);
        await accumulation.add(...args);
        adding -= 1;
      },
    }));
    const app = await testApp({ rankers, limits: { ...TEST_LIMITS, samplesMax: 2048 } });
    const response = await put(app, "v", { kind: "loss_gradient", samples: samplesOf(600) });
    expect(response.json()).toMatchObject({ samples: 600 });
  });

  it("waits while the ranker is overloaded, until the caller's time is over", async () => {
    const ranker = fakeRanker();
    const rankers = withAccumulation(ranker, (accumulation) => ({
      ...accumulation,
      add: refusing(2, (...args) => accumulation.add(...args)),
    }));
    const store = await temporaryStore();
    const app = await testApp({ store, rankers });
    const body = { kind: "loss_gradient", samples: samplesOf(4) };
    expect((await put(app, "v", body)).statusCode).toBe(200);
    expect((await store.readDirection("v"))?.samples).toBe(4);
    ranker.failWith(new AssayError("overloaded", { retryAfterMs: 5 }));
    const late = await app.inject({
      method: "PUT",
      url: "/v1/directions/v",
      headers: { "assay-timeout-ms": "60" },
      payload: { ...body, samples: samplesOf(4, "new") },
    });
    expect(late.json()).toMatchObject({ status: 504, code: "deadline_exceeded" });
  });
});

describe("PUT /v1/directions/{direction} of JSON lines", () => {
  it("makes of more lines than a body may have what JSON makes, and tells its progress", async () => {
    const store = await temporaryStore();
    const rankers = slowSums(fakeRanker(), 200);
    const app = await testApp({ store, rankers, limits: { ...TEST_LIMITS, samplesMax: 2048 } });
    const samples = samplesOf(1200);
    await put(app, "json", { kind: "mean_direction", samples });
    const padded = samples.map((sample) => ({ ...sample, id: "i".repeat(250), group: "g".repeat(250) }));
    const lines = padded.flatMap((sample) => ["", JSON.stringify(sample), " "]).join("\r\n");
    const payload = lines.repeat(3);
    expect(payload.length).toBeGreaterThan(TEST_LIMITS.bodyBytesMax);
    const startedAtMs = performance.now();
    const response = await putLines(app, "lines?kind=mean_direction", payload);
    const elapsedS = (performance.now() - startedAtMs) / 1000;
    expect(response.statusCode).toBe(200);
    expect(response.headers["content-type"]).toBe("application/x-ndjson");
    const [first, ...rest] = linesOf(response.body);
    // The last batch has 16 samples, and may be done before one that began earlier.
    expect([0, 3600 % 256]).toContain(first.samples % 256);
    expect(first.samples).toBeGreaterThan(0);
    expect(rest.length, "one line a second").toBeLessThanOrEqual(Math.floor(elapsedS));
    expect(rest.at(-1)).toMatchObject({ name: "lines", kind: "mean_direction", samples: 3600 });
    expectClose(await vectorOf(store, "lines"), await vectorOf(store, "json"));
  });

  it("sums two batches at once and holds no more", async () => {
    let [adding, most] = [0, 0];
    let secondCame = (): void => {};
    const second = new Promise<void>((resolve) => {
      secondCame = resolve;
    });
    const rankers = withAccumulation(fakeRanker(), (accumulation) => ({
      ...accumulation,
      async add(...args) {
        adding += 1;
        most = Math.max(most, adding);
        if (adding === 2) secondCame();
        await second;
        await delay(20); // for a third
        await accumulation.add(...args);
        adding -= 1;
      },
    }));
    const response = await putLines(await testApp({ rankers }), "v?kind=loss_gradient", samplesOf(1500));
    expect(linesOf(response.body).at(-1)).toMatchObject({ samples: 1500 });
    expect(most).toBe(2);
  });

  it.each([
    ["is not JSON", '{"text": "a", "label": 1', "invalid_json", 400, "line 3"],
    ["is not UTF-8", Buffer.from([0x22, 0xff, 0x22]), "invalid_json", 400, "line 3"],
    ["would poison a prototype", '{"__proto__": {}, "text": "a"}', "invalid_json", 400, "line 3/__proto__"],
    ["is no sample", '{"text": "a", "document": "b", "label": 1}', "invalid_request", 400, "line 3"],
    ["has an unknown field", '{"text": "a", "label": 1, "x": 1}', "invalid_request", 400, "line 3/x"],
    ["names a field twice", '{"text": "a", "label": 1, "label": 0}', "invalid_json", 400, "line 3/label"],
    ["is too long", `{"text": "${"a".repeat(2 ** 20)}"}`, "body_too_large", 413, null],
    ["has no label", '{"text": "a"}', "missing_label", 422, "line 3/label"],
    ["has a label of another loss", '{"text": "a", "label": 2}', "unsuitable_label", 422, "line 3/label"],
  ] as const)("names the line that %s, and keeps nothing", async (_about, line, code, status, path) => {
    const store = await temporaryStore();
    const app = await testApp({ store });
    const good = JSON.stringify(samplesOf(1)[0]);
    const payload = Buffer.concat([
      Buffer.from(`${good}\n\n`),
      Buffer.from(line),
      Buffer.from(`\n${good}\n`),
    ]);
    const response = await putLines(app, "v?kind=loss_gradient", payload);
    expect(response.json()).toMatchObject({ status, code, detail: expect.stringContaining("line 3") });
    expect(response.statusCode).toBe(status);
    if (path !== null) expect(response.json().faults).toMatchObject([{ path }]);
    expect(await store.readDirection("v")).toBeNull();
  });

  it("is answered with its problem's own status where it fails before the first line", async () => {
    const app = await testApp();
    const alone = [{ text: "a", label: 1, group: "q" }];
    const undefinedOne = await putLines(app, "v?kind=loss_gradient&loss=pairwise", alone);
    expect(undefinedOne.statusCode).toBe(422);
    expect(undefinedOne.headers["content-type"]).toMatch(/^application\/problem\+json/);
    expect(undefinedOne.json()).toMatchObject({ code: "direction_undefined" });
    const late = await putLines(app, "v?kind=loss_gradient", [...samplesOf(600), { text: "unlabelled" }]);
    expect(late.statusCode).toBe(422);
    expect(late.json()).toMatchObject({ code: "missing_label", faults: [{ path: "line 601/label" }] });
  });

  it("is answered with the direction alone where it is made within a second", async () => {
    const response = await putLines(await testApp(), "v?kind=loss_gradient", samplesOf(300));
    expect(linesOf(response.body)).toMatchObject([{ name: "v", samples: 300 }]);
  });

  it("ends with the problem where the fault comes after a line, and the direction of that name stays", async () => {
    const store = await temporaryStore();
    const app = await testApp({ store, rankers: slowSums(fakeRanker(), 800) });
    await putLines(app, "v?kind=loss_gradient", samplesOf(3));
    const before = await store.readDirection("v");
    const lines = [...samplesOf(1300), { text: "unlabelled" }];
    const response = await putLines(app, "v?kind=loss_gradient", lines);
    expect(response.statusCode).toBe(200);
    const answered = linesOf(response.body);
    expect(answered.at(-1)).toMatchObject({
      code: "missing_label",
      status: 422,
      faults: [{ path: "line 1301/label" }],
    });
    // A line a second, after whole batches: a slow machine repeats one, or passes one by.
    const progress = answered.slice(0, -1).map(({ samples }) => samples);
    expect(progress.length).toBeGreaterThan(0);
    expect(progress).toEqual(progress.filter((samples) => samples % 256 === 0).sort((x, y) => x - y));
    expect(progress.at(-1)).toBeLessThanOrEqual(1300);
    expect(await store.readDirection("v")).toEqual(before);
  });

  it("is answered though most of the body is unread", async () => {
    const app = await testApp();
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    const lines = JSON.stringify({ text: "a".repeat(1000), label: 1 });
    const response = await fetch(`${url}/v1/directions/v?kind=loss_gradient`, {
      method: "PUT",
      headers: NDJSON,
      body: `{}\n${`${lines}\n`.repeat(8000)}`,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ faults: [{ path: "line 1" }] });
  });

  it("needs its kind in the query, where a JSON body has its own, and at least one sample", async () => {
    const app = await testApp();
    expect((await putLines(app, "v", samplesOf(1))).json()).toMatchObject({
      status: 400,
      code: "invalid_request",
      faults: [{ path: "kind" }],
    });
    expect(
      (await put(app, "v?kind=loss_gradient", { kind: "loss_gradient", samples: samplesOf(1) })).json(),
    ).toMatchObject({
      status: 400,
      faults: [{ path: "kind", message: expect.stringContaining("JSON body") }],
    });
    expect((await putLines(app, "v?kind=loss_gradient", "\n\n")).json()).toMatchObject({
      status: 400,
      detail: expect.stringContaining("at least one sample"),
    });
  });

  it("is not taken by a route without streams, and not compressed", async () => {
    const app = await testApp();
    const lookUp = { method: "POST", url: "/v1/datasets/d/lookup", headers: NDJSON, payload: "{}" } as const;
    expect((await app.inject(lookUp)).json()).toMatchObject({ status: 415, code: "unsupported_media_type" });
    const headers = { ...NDJSON, "content-encoding": "gzip" };
    const zipped = await app.inject({
      method: "PUT",
      url: "/v1/directions/v?kind=loss_gradient",
      headers,
      payload: "x",
    });
    expect(zipped.json()).toMatchObject({ status: 415, code: "unsupported_media_type" });
  });

  it("names the line of a text that the engine refuses", async () => {
    const ranker = fakeRanker();
    const run: FakeRanker["run"] = async (texts, wanted, caller) => {
      const place = texts.findIndex(({ first }) => first === "text 2");
      if (place >= 0)
        throw new AssayError("text_refused", { faults: [{ sample: place, path: "", message: "no" }] });
      return ranker.run(texts, wanted, caller);
    };
    const app = await testApp({ rankers: fakeRankers({ ...ranker, run }) });
    const response = await putLines(app, "v?kind=loss_gradient", [...samplesOf(2), ...samplesOf(4)]);
    expect(response.json()).toMatchObject({ code: "text_refused", faults: [{ path: "line 5" }] });
  });

  it("is given up, sums and all, when its client goes away", async () => {
    const released: string[] = [];
    const store = await temporaryStore();
    const rankers = withAccumulation(fakeRanker(), (accumulation) => ({
      ...accumulation,
      release: async () => void released.push("released"),
    }));
    const app = await testApp({ store, rankers });
    await app.listen({ host: "127.0.0.1", port: 0 });
    const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
    const line = `${JSON.stringify({ text: "a", label: 1 })}\n`;
    socket.write(
      `PUT /v1/directions/v?kind=loss_gradient HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ncontent-length: 1000000\r\n\r\n${line.repeat(600)}`,
    );
    const [head] = (await once(socket, "data")) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1.1 200/);
    socket.destroy();
    await expect.poll(() => released).toEqual(["released"]);
    await delay(20);
    expect(await store.readDirection("v")).toBeNull();
  });

  it("is given up while nothing comes, when its time is over or the service closes", async () => {
    const app = await testApp();
    const url = await app.listen({ host: "127.0.0.1", port: 0 });
    /** A client that sends a few lines and no end. */
    const stalled = (headers: Record<string, string>, lines: number): Promise<Response> =>
      fetch(`${url}/v1/directions/v?kind=loss_gradient`, {
        method: "PUT",
        headers: { ...NDJSON, ...headers },
        body: new ReadableStream({
          start: (controller) => {
            controller.enqueue(
              new TextEncoder().encode(`${JSON.stringify(samplesOf(1)[0])}\n`.repeat(lines)),
            );
          },
        }),
        duplex: "half",
      } as RequestInit);
    const late = await stalled({ "assay-timeout-ms": "100" }, 3);
    expect(await late.json()).toMatchObject({ status: 504, code: "deadline_exceeded" });
    const open = await stalled({}, 600);
    expect(open.status).toBe(200);
    const rest = open.text();
    await app.close();
    expect(linesOf(await rest).at(-1)).toMatchObject({ status: 503, code: "shutting_down" });
  });

  it("is refused once the model has been replaced", async () => {
    const [old, young] = [fakeRanker(), fakeRanker({ version: "fedcba9876543210" })];
    const known = fakeRankers(old);
    const rankers: Rankers = {
      ...known,
      inspect: (name) => ({ ...known.inspect(name), ...(old.ran.length > 0 && { model: young.model }) }),
    };
    const store = await temporaryStore();
    const app = await testApp({ store, rankers });
    const response = await putLines(app, "v?kind=loss_gradient", samplesOf(600));
    expect(linesOf(response.body).at(-1)).toMatchObject({
      status: 409,
      code: "direction_stale",
      detail: expect.stringMatching(/0123456789abcdef was replaced by default@fedcba9876543210/),
    });
    expect(await store.readDirection("v")).toBeNull();
  });
});

describe("group losses", () => {
  const scattered: TestSample[] = [
    { text: "a1", label: 1, group: "a" },
    { text: "b1", label: 0, group: "b" },
    { text: "a2", label: 0, group: "a" },
    { text: "b2", label: 2, group: "b" },
    { text: "b3", label: 1, group: "b" },
  ];
  const together = [...scattered].sort((x, y) => (x.group as string).localeCompare(y.group as string));

  it("compare within a group, which a list may scatter and lines may not", async () => {
    const store = await temporaryStore();
    const app = await testApp({ store });
    const json = await put(app, "json", { kind: "loss_gradient", loss: "listwise", samples: scattered });
    expect(json.statusCode).toBe(200);
    const lines = await putLines(app, "lines?kind=loss_gradient&loss=listwise", together);
    expect(linesOf(lines.body).at(-1)).toMatchObject({ loss: "listwise", samples: 5 });
    expectClose(await vectorOf(store, "lines"), await vectorOf(store, "json"));
    expect((await putLines(app, "v?kind=loss_gradient&loss=listwise", scattered)).json()).toMatchObject({
      status: 422,
      code: "invalid_sample",
      faults: [{ path: "line 3/group", message: expect.stringContaining("follow one another") }],
    });
  });

  it("are not cut in two where a group lies across the end of a batch", async () => {
    const store = await temporaryStore();
    const app = await testApp({ store, limits: { ...TEST_LIMITS, samplesMax: 400 } });
    const filler = Array.from({ length: 250 }, (_, i) => ({ text: `f${i}`, label: 1, group: `f${i}` }));
    const group = Array.from({ length: 20 }, (_, i) => ({ text: `g${i}`, label: i % 2, group: "g" }));
    await putLines(app, "across?kind=loss_gradient&loss=pairwise", [...filler, ...group]);
    await putLines(app, "alone?kind=loss_gradient&loss=pairwise", group);
    const alone = (await vectorOf(store, "alone")).map((entry) => (entry * 20) / 270);
    expectClose(await vectorOf(store, "across"), alone);
  });

  it("need a group of each sample, of no more than a request may have", async () => {
    const app = await testApp();
    const samples = [
      { text: "a", label: 1, group: "q" },
      { text: "b", label: 0 },
    ];
    expect((await put(app, "v", { kind: "loss_gradient", loss: "pairwise", samples })).json()).toMatchObject({
      code: "invalid_sample",
      faults: [{ path: "/samples/1/group" }],
    });
    const large = samplesOf(TEST_LIMITS.samplesMax + 1).map((sample) => ({ ...sample, group: "q" }));
    expect((await putLines(app, "v?kind=loss_gradient&loss=pairwise", large)).json()).toMatchObject({
      code: "invalid_sample",
      detail: expect.stringContaining("line 65/group has more than 64 samples"),
    });
  });
});

describe("the directions", () => {
  it("are listed in pages, described and forgotten", async () => {
    const app = await testApp();
    for (const name of ["b", "a", "c%2Fd"])
      await put(app, name, { kind: "loss_gradient", samples: samplesOf(2) });
    const page = (await app.inject("/v1/directions?limit=2")).json();
    expect(page.directions.map(({ name }: Json) => name)).toEqual(["a", "b"]);
    const next = (await app.inject(`/v1/directions?limit=2&cursor=${page.next_cursor}`)).json();
    expect(next).toMatchObject({ directions: [{ name: "c/d" }], next_cursor: null });
    expect((await app.inject({ method: "DELETE", url: "/v1/directions/a" })).statusCode).toBe(204);
    for (const method of ["GET", "DELETE"] as const)
      expect((await app.inject({ method, url: "/v1/directions/a" })).json()).toMatchObject({
        status: 404,
        code: "direction_not_found",
      });
  });

  it("say their gradient scope, and are stale where no model has gradients of it", async () => {
    const store = await temporaryStore();
    const before = await testApp({ store, rankers: fakeRankers(fakeRanker({ gradientScope: "last:2" })) });
    const made = await put(before, "v", { kind: "loss_gradient", samples: samplesOf(2) });
    expect(made.json()).toMatchObject({ gradient_scope: "last:2", stale: false });
    const after = await testApp({ store, rankers: fakeRankers(fakeRanker()) });
    expect((await after.inject("/v1/directions/v")).json()).toMatchObject({
      gradient_scope: "last:2",
      stale: true,
    });
  });

  it("are stale, and refused by both versions' names, once their weights are not served any more", async () => {
    const store = await temporaryStore();
    const [old, young] = [fakeRanker(), fakeRanker({ version: "fedcba9876543210" })];
    const before = await testApp({ store, rankers: fakeRankers(old) });
    await put(before, "v", { kind: "loss_gradient", samples: samplesOf(2) });
    const after = await testApp({ store, rankers: fakeRankers(young) });
    expect((await after.inject("/v1/directions/v")).json()).toMatchObject({ stale: true });
    expect((await after.inject("/v1/directions")).json().directions).toMatchObject([{ stale: true }]);
    await expect(resolveDirection(store, "v", young.model)).rejects.toMatchObject({
      code: "direction_stale",
      message: expect.stringMatching(/default@0123456789abcdef.*default@fedcba9876543210/),
    });
    const { kind, norm } = await resolveDirection(store, "v", old.model);
    expect({ kind, norm }).toEqual({ kind: "loss_gradient", norm: (await store.readDirection("v"))?.norm });
  });
});

/** A ranker whose accumulations are changed. */
function withAccumulation(ranker: FakeRanker, change: (accumulation: Accumulation) => Accumulation): Rankers {
  return fakeRankers({ ...ranker, accumulate: async () => change(await ranker.accumulate()) });
}

/** A ranker that takes so long to sum each batch. */
function slowSums(ranker: FakeRanker, batchMs: number): Rankers {
  return withAccumulation(ranker, (accumulation) => ({
    ...accumulation,
    async add(...args) {
      await delay(batchMs);
      await accumulation.add(...args);
    },
  }));
}

/** The same, refused as overloaded the first times. */
function refusing<A extends unknown[]>(times: number, work: (...args: A) => Promise<void>) {
  let left = times;
  return async (...args: A): Promise<void> => {
    left -= 1;
    if (left >= 0) throw new AssayError("overloaded", { retryAfterMs: 5 });
    return work(...args);
  };
}
