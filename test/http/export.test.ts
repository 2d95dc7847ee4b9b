import { setTimeout as delay } from "node:timers/promises";
import { tableFromIPC } from "apache-arrow";
import { parse } from "csv-parse/sync";
import type { FastifyInstance } from "fastify";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { describe, expect, it, onTestFinished } from "vitest";
import { AssayError } from "../../src/errors.js";
import { acceptedFormat } from "../../src/http/export/formats.js";
import type { Store } from "../../src/store/port.js";
import { sample } from "../store/conformance/records.js";
import { testApp as buildTestApp, temporaryStore } from "../support/app.js";
import { describeOverBothStores } from "../support/both-stores.js";
import { fakeRanker, fakeRankers } from "../support/fake-rankers.js";
import { postScore, postWeights } from "../support/inject.js";
import { LONG } from "../support/load.js";
import { listeningPort, openSocket } from "../support/raw.js";

type Row = Record<string, unknown>;

const FORMATS = ["ndjson", "csv", "arrow", "parquet"] as const;

async function exportOf(app: FastifyInstance, query = "", headers: Record<string, string> = {}) {
  return app.inject({ method: "GET", url: `/v1/datasets/d/export${query}`, headers });
}

const TEXTS = new Set(["id", "source", "group", "model", "loss_name", "precision", "observed", "scored_at"]);

/** The rows of an export by id, in one form whatever the format: null where there is none. */
async function rowsOf(format: (typeof FORMATS)[number], payload: Buffer): Promise<Map<unknown, Row>> {
  const rows = await readers[format](payload);
  return new Map(rows.map((row) => [row.id, row]));
}

const readers: Record<(typeof FORMATS)[number], (payload: Buffer) => Row[] | Promise<Row[]>> = {
  ndjson: (payload) => linesOf(payload.toString()),
  csv: (payload) =>
    parse(payload, {
      columns: true,
      cast: (cell, { header, column }) => {
        if (header || TEXTS.has(String(column))) return cell === "" ? null : cell;
        return cell === "" ? null : JSON.parse(cell);
      },
    }) as Row[],
  arrow: (payload) =>
    tableFromIPC(payload)
      .toArray()
      .map((row: Row): Row => {
        const { label, label_probabilities: list, scored_at: at, ...rest } = { ...row };
        return {
          ...rest,
          label: list === null ? label : [...(list as Iterable<number>)],
          scored_at: new Date(at as number).toISOString(),
        };
      }),
  parquet: async (payload) => {
    const rows = await parquetReadObjects({ file: new Uint8Array(payload).buffer });
    return rows.map(({ label, label_probabilities: list, scored_at: at, ...rest }) => ({
      ...rest,
      label: list ?? label,
      scored_at: (at as Date).toISOString(),
    }));
  },
};

function linesOf(text: string): Row[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Row);
}

/** A dataset with two shapes, a source, extras, a snapshot that lacks a sample, and names that CSV has to quote. */
async function fill(app: FastifyInstance): Promise<void> {
  const first = [
    { id: "a", text: "one", label: 1, source: 'web, "old"', group: "g" },
    { id: 'b"c', text: "two", label: 0.25, extras: { clicks: 3, "=SUM": 0.5 } },
  ];
  const proportional = { signal: "loss", scheme: "proportional" };
  const answers = [
    await postScore(app, { dataset: "d", signals: ["loss", "grad_norm_last"], samples: first }),
    await postWeights(app, "d", { weighting: proportional }),
    await postWeights(app, "d", { weighting: { ...proportional, smoothing: 1 } }),
    await postScore(app, { dataset: "d", signals: ["entropy"], samples: [{ id: "=1+1", text: "three" }] }),
  ];
  for (const answer of answers) expect(answer.statusCode, answer.body).toBe(200);
}

const COLUMNS = [
  ...["id", "label", "source", "group", "model", "loss_name", "precision", "observed", "scored_at"],
  ...["loss", "entropy", "grad_norm_last", "extras.=SUM", "extras.clicks", "weight"],
];

describeOverBothStores("an export", behaves);

function behaves(openStore: () => Promise<Store>): void {
  const testApp = async () => buildTestApp({ store: await openStore() });

  it.each(FORMATS)("answers as %s what a look-up answers of each sample", async (format) => {
    const app = await testApp();
    await fill(app);
    const answer = await exportOf(app, `?format=${format}`);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers["assay-snapshot"]).toBe("2");
    expect(answer.headers["content-disposition"]).toBe(`attachment; filename*=UTF-8''d.${format}`);
    const rows = await rowsOf(format, answer.rawPayload);
    const text = (id: string): string => (format === "csv" && /^=/.test(id) ? `'${id}` : id);
    expect(rows.size).toBe(3);
    for (const id of ["a", 'b"c', "=1+1"]) {
      const known = (await app.inject(`/v1/datasets/d/samples/${encodeURIComponent(id)}`)).json();
      const row = rows.get(text(id)) as Row;
      expect(Object.keys(row).sort()).toEqual([...COLUMNS].sort());
      const { extras, id: _, dataset: __, as_of: ___, stale: ____, ...own } = known;
      for (const [name, value] of Object.entries(extras)) own[`extras.${name}`] = value;
      Object.assign(own, { precision: "fp32", observed: null });
      for (const name of COLUMNS.slice(1)) expect(row[name], `${name} of ${id}`).toEqual(own[name] ?? null);
    }
    expect(rows.get(text('b"c'))).toMatchObject({ label: 0.25, weight: 0.5, "extras.clicks": 3 });
    expect(rows.get(text("=1+1"))).toMatchObject({ weight: null, loss: null });
  });

  it("takes the weights from the snapshot that it names, and refuses one that is not kept", async () => {
    const app = await testApp();
    await fill(app);
    const weightsOf = async (version: number) =>
      linesOf((await exportOf(app, `?snapshot=${version}`)).body).map(
        ({ weight }) => weight as number | null,
      );
    expect(new Set(await weightsOf(2))).toEqual(new Set([0.5, null]));
    const proportional = await weightsOf(1);
    expect(new Set(proportional).size).toBe(3);
    expect(proportional.reduce<number>((sum, weight) => sum + (weight ?? 0), 0)).toBeCloseTo(1, 12);
    expect((await exportOf(app, "?snapshot=7")).json()).toMatchObject({
      status: 404,
      code: "snapshot_not_found",
    });
  });

  it("has no weights before the first snapshot, and one row a sample over many chunks", async () => {
    const store = await openStore();
    const app = await buildTestApp({ store });
    for (let start = 0; start < 3000; start += 1000)
      await store.writeSamples(
        "d",
        Array.from({ length: 1000 }, (_, index) => ({ id: `s${start + index}`, record: sample() })),
      );
    const answer = await exportOf(app);
    expect(answer.headers).not.toHaveProperty("assay-snapshot");
    const rows = linesOf(answer.body);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(3000);
    expect(rows).toHaveLength(3000);
    expect(new Set(rows.map(({ weight }) => weight))).toEqual(new Set([null]));
    for (const format of FORMATS) {
      const { rawPayload } = await exportOf(app, `?format=${format}`);
      expect((await rowsOf(format, rawPayload)).size, format).toBe(3000);
    }
  });
}

describe("an export", () => {
  it("is 404 of a dataset that is not known, and 400 of a format or version that is none", async () => {
    const app = await buildTestApp();
    expect((await exportOf(app)).json()).toMatchObject({ status: 404, code: "dataset_not_found" });
    for (const query of ["?format=xml", "?snapshot=0", "?snapshot=1.5"])
      expect((await exportOf(app, query)).json()).toMatchObject({ status: 400, code: "invalid_request" });
  });

  it("keeps its columns of a dataset whose samples were all deleted", async () => {
    const app = await buildTestApp();
    await postScore(app, { dataset: "d", samples: [{ id: "a", text: "one", label: 1 }] });
    await app.inject({ method: "DELETE", url: "/v1/datasets/d/samples/a" });
    for (const format of FORMATS) {
      const { rawPayload, statusCode } = await exportOf(app, `?format=${format}`);
      expect(statusCode).toBe(200);
      expect((await rowsOf(format, rawPayload)).size, format).toBe(0);
    }
    expect((await exportOf(app, "?format=csv")).body).toMatch(/^id,label,.*,loss,grad_norm_last,weight\r\n$/);
  });

  it("gives labels of K probabilities as lists", async () => {
    const rankers = fakeRankers(fakeRanker({ task: "classification", classes: 3 }));
    const app = await buildTestApp({ rankers });
    const samples = [
      { id: "hard", text: "one", label: 2 },
      { id: "soft", text: "two", label: [0.25, 0.25, 0.5] },
    ];
    await postScore(app, { dataset: "d", signals: ["loss"], samples });
    for (const format of FORMATS) {
      const rows = await rowsOf(format, (await exportOf(app, `?format=${format}`)).rawPayload);
      expect(rows.get("hard"), format).toMatchObject({ label: 2 });
      expect(rows.get("soft"), format).toMatchObject({ label: [0.25, 0.25, 0.5] });
    }
  });

  it("says in the files that have a place for it where the rows come from", async () => {
    const app = await buildTestApp();
    await fill(app);
    const arrow = tableFromIPC((await exportOf(app, "?format=arrow")).rawPayload);
    expect(Object.fromEntries(arrow.schema.metadata)).toEqual({
      "assay.dataset": "d",
      "assay.snapshot": "2",
    });
    const parquet = parquetMetadata(
      new Uint8Array((await exportOf(app, "?format=parquet")).rawPayload).buffer,
    );
    expect(parquet.key_value_metadata).toEqual([
      { key: "assay.dataset", value: "d" },
      { key: "assay.snapshot", value: "2" },
    ]);
  });

  it.each([
    [undefined, "ndjson"],
    ["*/*", "ndjson"],
    ["application/json", "ndjson"],
    ["text/csv", "csv"],
    ["text/csv;q=0.5, application/vnd.apache.parquet", "parquet"],
    ["application/vnd.apache.arrow.stream; q=0, text/CSV; q=0.1", "csv"],
  ])("of Accept %s is %s", (accept, format) => {
    expect(acceptedFormat(accept)).toBe(format);
  });

  it("takes the format of the query before that of Accept", async () => {
    const app = await buildTestApp();
    await fill(app);
    const types = await Promise.all(
      ["", "?format=ndjson"].map(async (query) => {
        const answer = await exportOf(app, query, { accept: "text/csv" });
        return String(answer.headers["content-type"]);
      }),
    );
    expect(types).toEqual(["text/csv; charset=utf-8; header=present", "application/x-ndjson"]);
  });
});

/** A store whose scan fails or waits after so many chunks; it counts the chunks and says when the scan has ended. */
function withScan(store: Store, after: number, then: () => Promise<void>) {
  const seen = { chunks: 0, ended: false };
  const changed: Store = {
    ...store,
    async *scanSamples(...of) {
      try {
        for await (const chunk of store.scanSamples(...of)) {
          if (seen.chunks === after) await then();
          seen.chunks += 1;
          yield chunk;
        }
      } finally {
        seen.ended = true;
      }
    },
  };
  return { store: changed, seen };
}

async function filledStore(samples: number): Promise<Store> {
  const store = await temporaryStore();
  for (let start = 0; start < samples; start += 5000)
    await store.writeSamples(
      "d",
      Array.from({ length: Math.min(5000, samples - start) }, (_, index) => ({
        id: `sample-${start + index}`,
        record: sample(),
      })),
    );
  return store;
}

/** The answer's body as far as it came, and the error with which it broke off. */
async function read(port: number, query: string): Promise<{ body: string; error: unknown }> {
  let body = "";
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/datasets/d/export${query}`);
    for await (const part of answer.body ?? []) body += Buffer.from(part).toString("latin1");
    return { body, error: null };
  } catch (error) {
    return { body, error };
  }
}

describe("an export that breaks", () => {
  const down = async (): Promise<never> => {
    throw new AssayError("store_unavailable", { detail: "the store is down" });
  };

  it.each(FORMATS)("off after its first bytes has no clean end as %s", async (format) => {
    const { store } = withScan(await filledStore(3000), 2, down);
    const port = await listeningPort(await buildTestApp({ store }));
    const { body, error } = await read(port, `?format=${format}`);
    expect(error).toBeInstanceOf(TypeError);
    if (format !== "ndjson") return;
    const lines = linesOf(body);
    expect(lines).toHaveLength(2001);
    expect(lines.at(-1)).toMatchObject({ code: "store_unavailable", status: 503 });
  });

  it("off before its first bytes is answered with the problem's status", async () => {
    const { store } = withScan(await filledStore(10), 0, down);
    const app = await buildTestApp({ store });
    for (const format of FORMATS)
      expect((await exportOf(app, `?format=${format}`)).json()).toMatchObject({
        status: 503,
        code: "store_unavailable",
      });
  });

  it("off because its dataset is deleted and filled again does not look complete", async () => {
    const whole = await filledStore(3000);
    const { store } = withScan(whole, 1, async () => {
      await whole.deleteDataset("d");
      await delay(2); // until its life begins at another millisecond
      await whole.writeSamples("d", [{ id: "new", record: sample() }]);
    });
    const port = await listeningPort(await buildTestApp({ store }));
    const { body, error } = await read(port, "");
    expect(error).toBeInstanceOf(TypeError);
    expect(linesOf(body).at(-1)).toMatchObject({ code: "dataset_not_found" });
  });

  it("off at the client ends the scan", async () => {
    const { store, seen } = withScan(await filledStore(20_000), 1, () => delay(50));
    const port = await listeningPort(await buildTestApp({ store }));
    const socket = await openSocket(port);
    socket.write("GET /v1/datasets/d/export HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await new Promise((resolve) => socket.once("data", resolve));
    socket.destroy();
    await expect.poll(() => seen.ended).toBe(true);
    expect(seen.chunks).toBeLessThan(20);
  });

  it("off when the service closes, which does not wait for it", async () => {
    const { store } = withScan(await filledStore(3000), 1, () => delay(10_000));
    const app = await buildTestApp({ store });
    const port = await listeningPort(app);
    const reading = read(port, "");
    await delay(300);
    const beganAtMs = performance.now();
    await app.close();
    expect(performance.now() - beganAtMs).toBeLessThan(5000);
    const { body, error } = await reading;
    expect(error).toBeInstanceOf(TypeError);
    expect(linesOf(body).at(-1)).toMatchObject({ code: "shutting_down" });
  });
});

describe("an export of many samples", () => {
  const SAMPLES = LONG ? 1_000_000 : 30_000;

  it("waits for a client that does not read, in constant memory", async () => {
    const { store, seen } = withScan(await filledStore(SAMPLES), -1, async () => undefined);
    const port = await listeningPort(await buildTestApp({ store }));
    const socket = await openSocket(port);
    socket.pause();
    socket.write("GET /v1/datasets/d/export HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    await delay(500);
    let chunks = -1;
    while (chunks !== seen.chunks) {
      chunks = seen.chunks;
      await delay(500);
    }
    // What the kernel takes for the socket is some megabytes; the whole is 230 bytes a sample.
    expect(seen.chunks).toBeLessThan(SAMPLES / 1000);
    let lines = 0;
    socket.on("data", (part) => {
      for (const byte of part) if (byte === 0x0a) lines += 1;
    });
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(lines).toBeGreaterThanOrEqual(SAMPLES);
  });

  it("takes no more memory the second time, in any format", async () => {
    const store = await filledStore(SAMPLES);
    const port = await listeningPort(await buildTestApp({ store }));
    for (const format of FORMATS) await readAll(port, format);
    const before = process.memoryUsage.rss();
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss());
    }, 5);
    onTestFinished(() => clearInterval(watch));
    for (const format of FORMATS) expect(await readAll(port, format)).toBeGreaterThan(SAMPLES * 4);
    expect((peak - before) / 2 ** 20, "MiB").toBeLessThan(96);
  });
});

async function readAll(port: number, format: string): Promise<number> {
  let bytes = 0;
  const answer = await fetch(`http://127.0.0.1:${port}/v1/datasets/d/export?format=${format}`);
  for await (const part of answer.body ?? []) bytes += part.length;
  return bytes;
}
