import { request as httpRequest } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import {
  Bool,
  Dictionary,
  Field,
  FixedSizeBinary,
  Float64,
  Int8,
  Int64,
  LargeUtf8,
  List,
  tableFromIPC,
  Utf8,
} from "apache-arrow";
import type { FastifyInstance } from "fastify";
import { describe, expect, it } from "vitest";
import { AssayError } from "../../src/errors.js";
import { TEST_LIMITS, temporaryStore, testApp } from "../support/app.js";
import { arrow } from "../support/arrow.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postScore } from "../support/inject.js";
import { LONG } from "../support/load.js";
import { listeningPort } from "../support/raw.js";

type Row = Record<string, unknown>;

const NDJSON = "application/x-ndjson";
const ARROW = "application/vnd.apache.arrow.stream";

const SAMPLE = { query: "usb c cable", document: "USB-C charging cable", label: 1 };

function samplesOf(count: number, name = "s") {
  return Array.from({ length: count }, (_, index) => ({
    id: `${name}${index}`,
    query: `query ${name} ${index % 7}`,
    document: `document ${index}`,
    label: index % 2,
  }));
}

async function post(app: FastifyInstance, type: string, payload: string | Buffer, query = "") {
  return app.inject({ method: "POST", url: `/v1/score${query}`, headers: { "content-type": type }, payload });
}

/** Lines of samples, or of texts that are none. */
function ndjson(lines: readonly unknown[]): string {
  return lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n");
}

function linesOf(text: string): Row[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
}

function arrowOf(samples: readonly Row[], rows?: number): Buffer {
  const column = (name: string) => samples.map((sample) => sample[name] ?? null);
  return arrow(
    {
      id: [new Utf8(), column("id")],
      query: [new Utf8(), column("query")],
      document: [new Utf8(), column("document")],
      label: [new Float64(), column("label")],
    },
    rows,
  );
}

function rowsOf(payload: Buffer): Row[] {
  return tableFromIPC(payload)
    .toArray()
    .map((row: Row) => ({ ...row }));
}

/** The results of `POST /v1/score` in JSON, without weights. */
async function jsonResults(
  app: FastifyInstance,
  samples: readonly Row[],
  options: object = {},
): Promise<Row[]> {
  const results: Row[] = [];
  for (let start = 0; start < samples.length; start += 50) {
    const answer = await postScore(app, {
      ...options,
      weighting: null,
      samples: samples.slice(start, start + 50),
    });
    expect(answer.statusCode, answer.body).toBe(200);
    results.push(...answer.json().results);
  }
  return results.map(({ weight: _, ...rest }) => rest);
}

describe("POST /v1/score of JSON lines", () => {
  it("answers each line what JSON answers of it, in order", async () => {
    const app = await testApp();
    const samples = samplesOf(300);
    const expected = await jsonResults(app, samples);
    const answer = await post(app, NDJSON, `${ndjson(samples)}\n\n`);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["content-type"]).toBe(NDJSON);
    expect(linesOf(answer.body)).toEqual(expected.map((result) => ({ ...result, cached: true })));
  });

  it("takes its options from the query, and remembers the samples of a dataset", async () => {
    const store = await temporaryStore();
    const app = await testApp({ store });
    const query = "?dataset=d&signals=loss,entropy&precision=fp32";
    const answer = await post(app, NDJSON, ndjson(samplesOf(130)), query);
    const [first] = linesOf(answer.body);
    expect(Object.keys(first as Row)).toEqual([
      ...["id", "logit", "probability", "loss", "entropy", "cached", "truncated"],
    ]);
    expect(await store.readDataset("d")).toMatchObject({ samples: 130 });
    const [kept] = await store.readSamples("d", ["s129"]);
    expect([...(kept?.record.signals.keys() ?? [])].sort()).toEqual(["entropy", "loss"]);
  });

  it("keeps of an id that comes again what came last", async () => {
    const store = await temporaryStore();
    const app = await testApp({ store });
    const lines = [
      ...samplesOf(40),
      { id: "s3", ...SAMPLE, label: 0.25 },
      { id: "s3", ...SAMPLE, label: 0.75 },
    ];
    const answer = await post(app, NDJSON, ndjson(lines), "?dataset=d");
    expect(linesOf(answer.body).every((line) => line.error === undefined)).toBe(true);
    expect((await store.readSamples("d", ["s3"]))[0]?.record.label).toBe(0.75);
  });

  it.each([
    ["is not JSON", '{"id": "x"', "invalid_json", null],
    ["is not UTF-8", "\u00ff", "invalid_json", null],
    ["has an unknown field", { id: "x", ...SAMPLE, unknown: 1 }, "invalid_request", "x"],
    ["has no text", { id: "x", label: 1 }, "invalid_request", "x"],
    ["has a label of another loss", { id: "x", ...SAMPLE, label: 3 }, "unsuitable_label", "x"],
  ] as const)("gives the line that %s its fault, and scores the others", async (_about, line, code, id) => {
    const app = await testApp();
    const samples = samplesOf(80);
    const expected = await jsonResults(app, samples);
    const lines = [...samples.slice(0, 70), line, ...samples.slice(70)];
    const answer = await post(app, NDJSON, Buffer.from(ndjson(lines), "latin1"));
    const results = linesOf(answer.body);
    expect(results[70]).toMatchObject({
      id,
      line: 71,
      error: { code, detail: expect.stringContaining("line 71"), status: expect.any(Number) },
    });
    results.splice(70, 1);
    expect(results).toEqual(expected.map((result) => ({ ...result, cached: true })));
  });

  it("gives each sample that lacks something its own fault", async () => {
    const lines = [
      { id: "a", ...SAMPLE },
      { ...SAMPLE },
      { id: "c", text: "unlabelled" },
      { id: "d", ...SAMPLE, label: 7 },
      { id: "e", ...SAMPLE },
    ];
    const answer = await post(await testApp(), NDJSON, ndjson(lines), "?dataset=d&signals=loss");
    const results = linesOf(answer.body).map(
      ({ error, loss }) => (error as Row | undefined)?.code ?? typeof loss,
    );
    expect(results).toEqual(["number", "invalid_sample", "missing_label", "unsuitable_label", "number"]);
  });

  it("is refused as a whole, with its status, for a fault that belongs to no sample", async () => {
    const app = await testApp();
    const lines = ndjson(samplesOf(3));
    for (const [query, status, code] of [
      ["?model=unknown", 404, "model_not_found"],
      ["?loss=cross_entropy", 422, "unsuitable_loss"],
      ["?signals=influence", 422, "missing_direction"],
      ["?signals=nonsense", 400, "invalid_request"],
      ["?weighting=rank", 400, "invalid_request"],
    ] as const)
      expect((await post(app, NDJSON, lines, query)).json(), query).toMatchObject({ status, code });
    const json = await app.inject({
      method: "POST",
      url: "/v1/score?loss=bce",
      payload: { samples: [SAMPLE] },
    });
    expect(json.json()).toMatchObject({ status: 400, faults: [{ path: "loss" }] });
  });

  it("answers a body without samples with nothing", async () => {
    const answer = await post(await testApp(), NDJSON, "\n\n");
    expect([answer.statusCode, answer.body]).toEqual([200, ""]);
  });

  it("ends with a problem and without a clean end if it fails after the first result", async () => {
    const ranker = fakeRanker();
    let batches = 0;
    const run: typeof ranker.run = async (...of) => {
      batches += 1;
      if (batches > 3) throw new AssayError("engine_failed");
      return ranker.run(...of);
    };
    const port = await listeningPort(await testApp({ rankers: fakeRankers({ ...ranker, run }) }));
    const { body, error } = await exchange(port, ndjson(samplesOf(TEST_LIMITS.samplesMax * 8)));
    expect(error).not.toBeNull();
    const lines = linesOf(body);
    expect(lines.at(-1)).toMatchObject({ code: "engine_failed", status: 503 });
    expect(lines.slice(0, -1).map(({ id }) => id)).toEqual(samplesOf(lines.length - 1).map(({ id }) => id));
    expect(lines.length).toBeGreaterThan(TEST_LIMITS.samplesMax);
  });

  it("waits while the ranker is overloaded", async () => {
    const ranker = fakeRanker();
    let refused = 0;
    const run: typeof ranker.run = async (...of) => {
      refused += 1;
      if (refused <= 2) throw new AssayError("overloaded", { retryAfterMs: 5 });
      return ranker.run(...of);
    };
    const app = await testApp({ rankers: fakeRankers({ ...ranker, run }) });
    const answer = await post(app, NDJSON, ndjson(samplesOf(10)));
    expect(linesOf(answer.body).map(({ id }) => id)).toEqual(samplesOf(10).map(({ id }) => id));
  });
});

describe("POST /v1/score of JSON lines under a group loss", () => {
  const grouped = (group: string, labels: readonly number[]) =>
    labels.map((label, index) => ({ id: `${group}${index}`, text: `${group} ${index}`, label, group }));

  async function codes(lines: readonly unknown[]): Promise<string[]> {
    const answer = await post(await testApp(), NDJSON, ndjson(lines), "?loss=listwise&signals=loss");
    return linesOf(answer.body).map(
      ({ error, loss }) => (error as Row | undefined)?.code?.toString() ?? typeof loss,
    );
  }

  it("scores groups as wholes wherever a batch ends", async () => {
    const app = await testApp();
    const samples = Array.from({ length: 30 }, (_, g) => grouped(`g${g}-`, [0, 1, 2, 0, 1])).flat();
    const expected = await jsonResults(app, samples, { loss: "listwise", signals: ["loss"] });
    const answer = await post(app, NDJSON, ndjson(samples), "?loss=listwise&signals=loss");
    expect(linesOf(answer.body)).toEqual(expected.map((result) => ({ ...result, cached: true })));
  });

  it("scores no sample of a group with a fault, and the other groups", async () => {
    const [a, b, c] = [grouped("a", [0, 1]), grouped("b", [0, 1]), grouped("c", [0, 1])];
    const bad = { ...b[1], label: -1 };
    expect(await codes([...a, b[0], bad, ...c])).toEqual([
      ...["number", "number"],
      ...["invalid_sample", "unsuitable_label"],
      ...["number", "number"],
    ]);
    const unknown = { ...b[1], unknown: 1 };
    expect(await codes([...a, b[0], unknown, ...c])).toEqual([
      ...["number", "number"],
      ...["invalid_sample", "invalid_request"],
      ...["number", "number"],
    ]);
  });

  it("scores neither neighbour of a line that cannot be read", async () => {
    const lines = [
      ...grouped("a", [0, 1]),
      ...grouped("b", [0, 1]),
      "{",
      ...grouped("c", [0, 1]),
      ...grouped("d", [1, 0]),
    ];
    expect(await codes(lines)).toEqual([
      ...["number", "number"],
      ...["invalid_sample", "invalid_sample", "invalid_json", "invalid_sample", "invalid_sample"],
      ...["number", "number"],
    ]);
  });

  it("refuses a group that has ended, one that is too large, and a sample without one", async () => {
    const many = grouped(
      "m",
      Array.from({ length: TEST_LIMITS.samplesMax + 2 }, (_, index) => index % 2),
    );
    const found = await codes([
      ...grouped("a", [0, 1]),
      { text: "alone", label: 1 },
      ...grouped("a", [0, 1]),
      ...many,
    ]);
    expect(found.slice(0, 5)).toEqual([
      "number",
      "number",
      "invalid_sample",
      "invalid_sample",
      "invalid_sample",
    ]);
    expect(new Set(found.slice(5))).toEqual(new Set(["invalid_sample"]));
    expect(found).toHaveLength(5 + many.length);
  });
});

describe("POST /v1/score of an Arrow stream", () => {
  it("answers each row what JSON answers of it, in order", async () => {
    const app = await testApp();
    const samples = samplesOf(300);
    const expected = await jsonResults(app, samples);
    const answer = await post(app, ARROW, arrowOf(samples, 77));
    expect(answer.statusCode, answer.body.slice(0, 300)).toBe(200);
    expect(answer.headers["content-type"]).toBe(ARROW);
    expect(rowsOf(answer.rawPayload)).toMatchObject(
      expected.map((result) => ({ ...result, cached: true, error: null, detail: null })),
    );
  });

  it("reads large texts, dictionaries, integers, booleans and lists", async () => {
    const rankers = fakeRankers(fakeRanker({ task: "classification", classes: 3 }));
    const store = await temporaryStore();
    const app = await testApp({ store, rankers });
    const stream = arrow({
      id: [new LargeUtf8(), ["a", "b"]],
      text: [new LargeUtf8(), ["öne", "two"]],
      source: [new Dictionary(new Utf8(), new Int8()), ["web", null]],
      label: [new List(new Field("item", new Float64())), [[0.5, 0.25, 0.25], null]],
      "extras.clicks": [new Int64(), [3n, null]],
      "extras.seen": [new Bool(), [true, false]],
    });
    const answer = await post(app, ARROW, stream, "?dataset=d");
    expect(answer.statusCode, answer.body.slice(0, 300)).toBe(200);
    const [a, b] = await store.readSamples("d", ["a", "b"]);
    expect(a?.record).toMatchObject({ source: "web", label: [0.5, 0.25, 0.25] });
    expect(b?.record).toMatchObject({ source: null, label: null });
    expect(a?.record.signals.get("extras.clicks")).toBe(3);
    expect([a, b].map((each) => each?.record.signals.get("extras.seen"))).toEqual([1, 0]);
    const rows = rowsOf(answer.rawPayload);
    const json = await jsonResults(app, [{ id: "a", text: "öne", label: [0.5, 0.25, 0.25] }]);
    expect([...((rows[0] as Row).logits as Iterable<number>)]).toEqual(json[0]?.logits);
  });

  it("gives each number to the last bit as JSON does, whatever the labels", async () => {
    const app = await testApp();
    const signals = ["loss", "probability", "margin", "entropy", "confidence", "el2n", "grad_norm_last"];
    const labels = [0, 1, 1, 0];
    const samples = samplesOf(130).map((sample, index) => ({ ...sample, label: labels[index % 4] }));
    const expected = await jsonResults(app, samples, { signals });
    const rows = rowsOf((await post(app, ARROW, arrowOf(samples), `?signals=${signals}`)).rawPayload);
    for (const [index, json] of expected.entries())
      for (const name of ["logit", ...signals])
        expect(Object.is(rows[index]?.[name], json[name]), `${name} of row ${index}`).toBe(true);
    const soft = samples.map((sample, index) => ({ ...sample, label: index % 3 === 0 ? null : index / 130 }));
    const ofSoft = rowsOf((await post(app, ARROW, arrowOf(soft), "?signals=entropy")).rawPayload);
    const jsonOfSoft = await jsonResults(app, soft, { signals: ["entropy"] });
    expect(ofSoft.map(({ probability }) => probability)).toEqual(
      jsonOfSoft.map(({ probability }) => probability),
    );
  });

  it("ends a connection that is to be closed as soon as it has answered", async () => {
    const port = await listeningPort(await testApp());
    const body = arrowOf(samplesOf(20));
    const startedAtMs = performance.now();
    const headers = { "content-type": ARROW, "content-length": body.length, connection: "close" };
    const sent = httpRequest({ port, method: "POST", path: "/v1/score", headers, agent: false });
    sent.end(body);
    await new Promise<void>((resolve) => {
      sent.on("response", (response) => response.on("end", resolve).resume());
    });
    // What nobody reads of a body is waited for five seconds.
    expect(performance.now() - startedAtMs).toBeLessThan(4500);
  });

  it("gives a row with a fault its fault, and scores the others", async () => {
    const samples = samplesOf(100).map((sample, index) => (index === 70 ? { ...sample, label: 4 } : sample));
    const rows = rowsOf((await post(await testApp(), ARROW, arrowOf(samples))).rawPayload);
    expect(rows[70]).toMatchObject({ id: "s70", logit: null, loss: null, error: "unsuitable_label" });
    expect(rows[70]?.detail).toContain("row 71");
    expect(rows.filter(({ error }) => error !== null)).toHaveLength(1);
    expect(rows.filter(({ loss }) => typeof loss === "number")).toHaveLength(99);
  });

  it.each([
    ["has a column of no field", { text: [new Utf8(), ["a"]], index: [new Float64(), [0]] }, "index"],
    ["has no texts", { id: [new Utf8(), ["a"]] }, "text"],
    ["has texts of another type", { text: [new FixedSizeBinary(1), [Uint8Array.of(65)]] }, "Utf8"],
    ["has labels of another type", { text: [new Utf8(), ["a"]], label: [new Utf8(), ["1"]] }, "label"],
  ] as const)("is refused if it %s", async (_about, columns, detail) => {
    const answer = await post(await testApp(), ARROW, arrow(columns as never));
    expect(answer.json()).toMatchObject({
      status: 400,
      code: "invalid_request",
      detail: expect.stringContaining(detail),
    });
  });

  it("is refused if it is no Arrow stream, is cut short or has texts that are not UTF-8", async () => {
    const app = await testApp();
    const whole = arrowOf(samplesOf(3));
    const at = whole.indexOf("document 0");
    const spoilt = Buffer.from(whole);
    spoilt[at] = 0xff;
    const split = arrow({ text: [new Utf8(), ["ab", "cd"]] });
    split.write("é", split.indexOf("abcd") + 1); // half of it in each text
    for (const payload of [
      Buffer.from("id,text\na,b\n"),
      whole.subarray(0, whole.length - 200),
      spoilt,
      split,
    ])
      expect((await post(app, ARROW, payload)).json()).toMatchObject({
        status: 400,
        code: "invalid_request",
      });
  });

  it("refuses a message that announces more than a body may have before it arrives", async () => {
    const app = await testApp();
    const huge = Buffer.alloc(8);
    huge.writeUInt32LE(0xffff_ffff);
    huge.writeInt32LE(2 ** 30, 4);
    expect((await post(app, ARROW, huge)).json()).toMatchObject({ status: 413, code: "body_too_large" });
    const long = arrow({ text: [new Utf8(), Array.from({ length: 200 }, () => "a".repeat(9000))] });
    expect((await post(app, ARROW, long)).json()).toMatchObject({ status: 413, code: "body_too_large" });
  });

  it("never fails in an unknown way, whatever bytes are changed", async () => {
    const app = await testApp();
    const whole = arrowOf(samplesOf(20));
    let seed = 1;
    const next = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    for (let run = 0; run < (LONG ? 5000 : 300); run++) {
      const changed = Buffer.from(whole);
      for (let change = 0; change <= next(3); change++) changed[next(changed.length)] = next(256);
      const answer = await post(app, ARROW, changed);
      expect([200, 400, 413], `run ${run}: ${answer.body.slice(0, 300)}`).toContain(answer.statusCode);
    }
  });
});

describe("names of extras", () => {
  it("hold no control character in any format, and are no prototype", async () => {
    const app = await testApp();
    const faulty: [string, string][] = [
      ["a\n", "is not a valid name: it holds a control character"],
      ["__proto__", "would change the prototype of an object: leave it out"],
    ];
    for (const [name, message] of faulty) {
      const line = `{"text": "usb", "label": 1, "extras": {${JSON.stringify(name)}: 1}}`;
      const json = await app.inject({
        method: "POST",
        url: "/v1/score",
        headers: { "content-type": "application/json" },
        payload: `{"samples": [${line}]}`,
      });
      expect(json.json().detail).toContain(message);
      const [row] = linesOf((await post(app, NDJSON, line)).body);
      expect(row).toMatchObject({ error: { status: 400, detail: expect.stringContaining(message) } });
      const columns = arrow({ text: [new Utf8(), ["usb"]], [`extras.${name}`]: [new Float64(), [1]] });
      const answer = await post(app, ARROW, columns);
      const detail = answer.statusCode === 200 ? rowsOf(answer.rawPayload)[0]?.detail : answer.json().detail;
      expect(detail).toContain(message);
    }
  });
});

describe("a stream of many samples", () => {
  const SAMPLES = LONG ? 1_000_000 : 20_000;

  it.each([NDJSON, ARROW])("is scored in constant memory as %s", async (type) => {
    const port = await listeningPort(await testApp());
    async function* body(): AsyncGenerator<Buffer> {
      for (let start = 0; start < SAMPLES; start += 1000) {
        const samples = samplesOf(1000).map((sample) => ({ ...sample, id: `${sample.id}-${start}` }));
        if (type === NDJSON) yield Buffer.from(`${ndjson(samples)}\n`);
        else yield start === 0 ? withoutEnd(arrowOf(samples)) : batchOf(arrowOf(samples));
      }
    }
    let peak = 0;
    let before = 0;
    let bytes = 0;
    const parts: Buffer[] = [];
    await stream(port, type, body(), (part) => {
      bytes += part.length;
      const rss = process.memoryUsage.rss();
      // The first part warms everything up.
      if (bytes > 300_000 && before === 0) before = rss;
      peak = Math.max(peak, rss);
      if (!LONG) parts.push(part);
    });
    if (!LONG) {
      const whole = Buffer.concat(parts);
      expect(type === NDJSON ? linesOf(whole.toString()).length : tableFromIPC(whole).numRows).toBe(SAMPLES);
    }
    expect(before).toBeGreaterThan(0);
    expect((peak - before) / 2 ** 20, "MiB").toBeLessThan(160);
  });

  it("is not read faster than its answer is, and ends when the client goes", async () => {
    const ranker = fakeRanker();
    const port = await listeningPort(await testApp({ rankers: fakeRankers(ranker) }));
    let sent = 0;
    async function* body(): AsyncGenerator<Buffer> {
      for (;;) {
        sent += 1000;
        yield Buffer.from(`${ndjson(samplesOf(1000, `n${sent}-`))}\n`);
      }
    }
    const request = httpRequest({
      port,
      method: "POST",
      path: "/v1/score",
      headers: { "content-type": NDJSON },
    });
    request.on("error", () => undefined);
    const answer = new Promise<void>((resolve) => {
      request.on("response", (response) => {
        response.pause();
        resolve();
      });
    });
    void (async () => {
      for await (const part of body()) {
        if (request.destroyed) return;
        if (!request.write(part)) await new Promise((resolve) => request.once("drain", resolve));
      }
    })();
    await answer;
    let before = -1;
    while (before !== sent) {
      before = sent;
      await delay(1000);
    }
    const scored = ranker.ran.length;
    request.destroy();
    await delay(300);
    const ended = ranker.ran.length;
    await delay(300);
    expect(ranker.ran.length).toBe(ended);
    expect(ended - scored).toBeLessThan(3000);
  }, 60_000);
});

/** Bytes of the end-of-stream marker. */
const END_BYTES = 8;

function withoutEnd(whole: Buffer): Buffer {
  return whole.subarray(0, whole.length - END_BYTES);
}

/** The record batch of a stream that has one: what follows the message of the schema. */
function batchOf(whole: Buffer): Buffer {
  return withoutEnd(whole).subarray(8 + whole.readInt32LE(4));
}

/** Sends a body part by part and reads the answer meanwhile. */
async function stream(
  port: number,
  type: string,
  body: AsyncIterable<Buffer>,
  onPart: (part: Buffer) => void,
): Promise<void> {
  const request = httpRequest({ port, method: "POST", path: "/v1/score", headers: { "content-type": type } });
  const ended = new Promise<void>((resolve, reject) => {
    request.on("error", reject);
    request.on("response", (response) => {
      response.on("data", onPart).on("end", resolve).on("error", reject);
    });
  });
  for await (const part of body)
    if (!request.write(part)) await new Promise((resolve) => request.once("drain", resolve));
  request.end();
  await ended;
}

/** The answer to JSON lines as far as it came, and the error with which it broke off. */
async function exchange(port: number, payload: string): Promise<{ body: string; error: unknown }> {
  let body = "";
  async function* once(): AsyncGenerator<Buffer> {
    yield Buffer.from(payload);
  }
  try {
    await stream(port, NDJSON, once(), (part) => {
      body += part.toString();
    });
    return { body, error: null };
  } catch (error) {
    return { body, error };
  }
}
