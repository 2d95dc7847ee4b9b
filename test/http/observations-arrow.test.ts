import {
  Dictionary,
  Field,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int8,
  Int32,
  List,
  Utf8,
} from "apache-arrow";
import type { FastifyInstance } from "fastify";
import { expect, it } from "vitest";
import type { Store } from "../../src/store/port.js";
import { testApp } from "../support/app.js";
import { arrow } from "../support/arrow.js";
import { describeOverBothStores } from "../support/both-stores.js";

const ARROW = "application/vnd.apache.arrow.stream";
const NDJSON = "application/x-ndjson";
const QUERY = { checkpoint: "epoch-1", step: "100", loss: "bce", mode: "eval" };

type Query = Record<string, string>;
type Columns = Parameters<typeof arrow>[0];

interface Answer {
  readonly code?: string;
  readonly samples?: number;
  readonly faults?: readonly { path: string; message: string }[];
}

async function observe(app: FastifyInstance, type: string, payload: string | Buffer, query: Query = {}) {
  const url = `/v1/datasets/${type === ARROW ? "columns" : "lines"}/observations`;
  const headers = { "content-type": type };
  const response = await app.inject({ method: "POST", url, query: { ...QUERY, ...query }, headers, payload });
  const last = JSON.parse(response.body.trim().split("\n").at(-1) ?? "") as Answer;
  return { status: response.statusCode, last };
}

function lines(samples: readonly object[]): string {
  return samples.map((sample) => `${JSON.stringify(sample)}\n`).join("");
}

/** All that a dataset keeps of its samples but the time of writing. */
async function kept(store: Store, dataset: string, ids: readonly string[]): Promise<unknown[]> {
  const samples = await store.readSamples(dataset, ids);
  const { histories = [] } = (await store.readHistories(dataset, ids)) ?? {};
  return samples.map((sample, index) => {
    expect(sample).not.toBeNull();
    return { ...sample?.record, scoredAtMs: 0, history: histories[index] };
  });
}

describeOverBothStores("observations by Arrow", (openStore) => {
  it("keep to the last bit what the same samples keep as JSON lines, in new and in known samples", async () => {
    const store = await openStore();
    const app = await testApp({ store });
    const samples = Array.from({ length: 5000 }, (_, index) => ({
      id: index % 7 === 0 ? `ü${index}` : `s${index}`,
      label: index % 5 === 0 ? null : index % 3 === 0 ? 0.25 : index % 2,
      logits: Math.fround(Math.sin(index) * 9),
      ...(index % 4 !== 0 && { feature_norm: index / 7 }),
      ...(index % 11 === 0 && { group: `q${index % 50}` }),
      ...(index % 2 === 0 && { source: index % 4 === 0 ? "crawl" : "clicks" }),
      ...(index % 13 === 0 && { text_digest: index.toString(16).padStart(12, "0") }),
    }));
    const ids = samples.map(({ id }) => id);
    const column = (name: string) =>
      samples.map((sample) => (sample as Record<string, unknown>)[name] ?? null);
    const columns: Columns = {
      id: [new Utf8(), ids],
      label: [new Float64(), column("label")],
      logits: [new Float32(), column("logits")],
      feature_norm: [new Float64(), column("feature_norm")],
      group: [new Utf8(), column("group")],
      source: [new Dictionary(new Utf8(), new Int8()), column("source")],
      text_digest: [new Utf8(), column("text_digest")],
    };
    for (const [name, step] of [
      ["epoch-1", "100"],
      ["epoch-2", "200"],
    ] as const) {
      const query = { checkpoint: name, step, model: "bert" };
      for (const [type, body] of [
        [ARROW, arrow(columns, 4500)],
        [NDJSON, lines(samples)],
      ] as const) {
        const answer = await observe(app, type, body, query);
        expect(answer).toMatchObject({ status: 200, last: { model: "bert", samples: 5000, late: 0 } });
      }
      expect(await kept(store, "columns", ids)).toEqual(await kept(store, "lines", ids));
    }
  });

  it.each([
    ["lists", new List(new Field("item", new Float64(), false))],
    ["lists of one length", new FixedSizeList(3, new Field("item", new Float64(), false))],
  ])("take K logits as %s", async (_, type) => {
    const store = await openStore();
    const app = await testApp({ store });
    const samples = Array.from({ length: 20 }, (_, index) => ({
      id: `s${index}`,
      label: index % 3,
      logits: [index, 1 - index / 2, 1.5],
    }));
    const columns: Columns = {
      id: [new Utf8(), samples.map(({ id }) => id)],
      label: [new Int32(), samples.map(({ label }) => label)],
      logits: [type, samples.map(({ logits }) => logits)],
    };
    const loss = { loss: "cross_entropy" };
    expect((await observe(app, ARROW, arrow(columns), loss)).status).toBe(200);
    expect((await observe(app, NDJSON, lines(samples), loss)).status).toBe(200);
    const ids = samples.map(({ id }) => id);
    expect(await kept(store, "columns", ids)).toEqual(await kept(store, "lines", ids));
  });

  it("compare the samples of a group that reaches over record batches", async () => {
    const store = await openStore();
    const app = await testApp({ store });
    const samples = Array.from({ length: 30 }, (_, index) => ({
      id: `s${index}`,
      label: index % 2,
      logits: Math.fround(Math.cos(index)),
      group: `q${Math.floor(index / 7)}`,
    }));
    const columns: Columns = {
      id: [new Utf8(), samples.map(({ id }) => id)],
      label: [new Float64(), samples.map(({ label }) => label)],
      logits: [new Float32(), samples.map(({ logits }) => logits)],
      group: [new Utf8(), samples.map(({ group }) => group)],
    };
    const loss = { loss: "pairwise" };
    expect((await observe(app, ARROW, arrow(columns, 4), loss)).status).toBe(200);
    expect((await observe(app, NDJSON, lines(samples), loss)).status).toBe(200);
    const ids = samples.map(({ id }) => id);
    expect(await kept(store, "columns", ids)).toEqual(await kept(store, "lines", ids));
  });

  const plain = (values: Partial<Columns> = {}): Columns =>
    ({
      id: [new Utf8(), ["a", "b", "c"]],
      label: [new Float64(), [1, 0, null]],
      logits: [new Float32(), [1, 2, 3]],
      ...values,
    }) as Columns;

  it("take logits of float16, and a norm that is NaN as one that was not sent", async () => {
    const store = await openStore();
    const app = await testApp({ store });
    const columns = plain({
      logits: [new Float16(), [0.5, 1, -2]],
      feature_norm: [new Float64(), [Number.NaN, 2, null]],
    });
    expect((await observe(app, ARROW, arrow(columns))).status).toBe(200);
    const samples = await store.readSamples("columns", ["a", "b"]);
    expect(samples.map((sample) => sample?.record.signals.has("grad_norm_last"))).toEqual([false, true]);
    expect(samples[0]?.record.signals.get("margin")).toBe(0.5);
  });

  it.each<[string, Columns, string, string[]]>([
    ["no id", plain({ id: [new Utf8(), ["a", null, "c"]] }), "invalid_request", ["row 2/id"]],
    [
      "ids that are none",
      plain({ id: [new Utf8(), [".", "b", "c\n"]] }),
      "invalid_request",
      ["row 1/id", "row 3/id"],
    ],
    [
      "logits that are not finite",
      plain({ logits: [new Float32(), [1, Number.NaN, null]] }),
      "invalid_request",
      ["row 2/logits", "row 3/logits"],
    ],
    [
      "a norm below 0",
      plain({ feature_norm: [new Float64(), [1, -1, 1]] }),
      "invalid_request",
      ["row 2/feature_norm"],
    ],
    [
      "a source that is too long",
      plain({ source: [new Utf8(), ["x", "x", "x".repeat(65)]] }),
      "invalid_request",
      ["row 3/source"],
    ],
    [
      "a digest that is none",
      plain({ text_digest: [new Utf8(), [null, "0123", null]] }),
      "invalid_request",
      ["row 2/text_digest"],
    ],
    [
      "a label of another loss",
      plain({ label: [new Float64(), [1, 7, 0]] }),
      "unsuitable_label",
      ["row 2/label"],
    ],
    ["an id twice", plain({ id: [new Utf8(), ["a", "b", "a"]] }), "duplicate_id", ["row 3/id"]],
    [
      "different numbers of logits",
      plain({ logits: [new List(new Field("item", new Float64(), false)), [[1], [1, 2], [3]]] }),
      "invalid_sample",
      ["row 2/logits"],
    ],
    ["a column of texts", plain({ query: [new Utf8(), ["a", "b", "c"]] }), "invalid_request", ["query"]],
    ["no column of logits", { id: [new Utf8(), ["a"]] }, "invalid_request", ["logits"]],
  ])("with %s are refused with their rows", async (_, columns, code, paths) => {
    const store = await openStore();
    const app = await testApp({ store });
    const { status, last } = await observe(app, ARROW, arrow(columns));
    expect(status).toBeGreaterThanOrEqual(400);
    expect(last.code).toBe(code);
    expect(last.faults?.map(({ path }) => path)).toEqual(paths);
    expect(await store.readDataset("columns")).toBeNull();
  });

  it("need the fields of the query, and say that a body is no Arrow stream", async () => {
    const app = await testApp({ store: await openStore() });
    const url = "/v1/datasets/columns/observations";
    const headers = { "content-type": ARROW };
    const missing = await app.inject({ method: "POST", url, headers, payload: arrow(plain()) });
    expect(missing.statusCode).toBe(400);
    expect(missing.json().faults.map(({ path }: { path: string }) => path)).toEqual([
      ...["checkpoint", "step", "loss", "mode"],
    ]);
    const other = await observe(app, ARROW, lines([{ id: "a", label: 1, logits: 1 }]));
    expect(other).toMatchObject({ status: 400, last: { code: "invalid_request" } });
  });
});
