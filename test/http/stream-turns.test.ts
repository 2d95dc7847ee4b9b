import {
  Dictionary,
  Field,
  Float64,
  Int8,
  List,
  makeVector,
  Table,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import { describe, expect, it } from "vitest";
import { TEST_LIMITS, temporaryStore, testApp } from "../support/app.js";
import { arrow } from "../support/arrow.js";
import { fillDataset } from "../support/large-dataset.js";
import { heldTurns } from "../support/turns.js";

const NDJSON = "application/x-ndjson";
const ARROW = "application/vnd.apache.arrow.stream";
const OBSERVE = "/v1/datasets/d/observations?checkpoint=c&step=1&loss=bce&mode=eval";

/** The least of these holds the loop for three times as long if it gives no turns. */
const HELD_MS_MAX = 300;

/** Rows that are no samples, in a few bytes each. */
function faultyRows(count: number): Buffer {
  const dictionary = vectorFromArray(["x"], new Utf8());
  const query = makeVector({
    type: new Dictionary(new Utf8(), new Int8()),
    data: new Int8Array(count),
    dictionary,
  });
  return Buffer.from(tableToIPC(new Table({ query }), "stream"));
}

function emptyBatches(count: number): Buffer {
  const whole = arrow({ text: [new Utf8(), ["a"]] });
  const none = Buffer.from(tableToIPC(new Table({ text: vectorFromArray([], new Utf8()) }), "stream"));
  const schemaBytes = 8 + whole.readInt32LE(4);
  const batch = none.subarray(schemaBytes, none.length - 8);
  return Buffer.concat([
    whole.subarray(0, schemaBytes),
    ...Array<Buffer>(count).fill(batch),
    whole.subarray(-8),
  ]);
}

function cachedRows(count: number): Buffer {
  const text = Array.from({ length: count }, (_, row) => `text ${row % 50}`);
  return arrow({ text: [new Utf8(), text], label: [new Float64(), text.map(() => 1)] }, count);
}

function observedRows(count: number): Buffer {
  return arrow(
    {
      id: [new Utf8(), Array.from({ length: count }, (_, row) => `i${row}`)],
      logits: [new Float64(), Array.from({ length: count }, (_, row) => row % 3)],
    },
    count,
  );
}

describe("a stream whose bytes have all arrived", () => {
  it.each<[string, string, string, () => Buffer | string]>([
    ["rows with faults", "/v1/score", ARROW, () => faultyRows(60_000)],
    ["rows whose outputs are known", "/v1/score", ARROW, () => cachedRows(40_000)],
    ["record batches without rows", "/v1/score", ARROW, () => emptyBatches(4000)],
    ["lines with faults", "/v1/score", NDJSON, () => "1\n".repeat(60_000)],
    ["lines that are no JSON", "/v1/score", NDJSON, () => "{\n".repeat(60_000)],
    ["lines of one blank each", "/v1/score", NDJSON, () => " \n".repeat(500_000)],
    ["lines of a blank that JSON does not know", "/v1/score", NDJSON, () => "\u00a0\n".repeat(300_000)],
    ["observed rows", OBSERVE, ARROW, () => observedRows(30_000)],
  ])("gives other requests a turn: %s", async (_, url, type, payloadOf) => {
    const app = await testApp({ limits: { ...TEST_LIMITS, samplesMax: 512, bodyBytesMax: 2 ** 23 } });
    const payload = payloadOf();
    const post = async () => app.inject({ method: "POST", url, headers: { "content-type": type }, payload });
    const { longestMs } = await heldTurns(async () => {
      expect((await post()).statusCode).toBe(200);
    });
    expect(longestMs).toBeLessThan(HELD_MS_MAX);
  });
});

describe("observations of many logits", () => {
  const CLASSES = 1024;
  const sampleOf = (index: number) => ({
    id: `i${index}`,
    label: index % CLASSES,
    logits: Array.from({ length: CLASSES }, (_, k) => ((index * 7 + k * 13) % 100) / 10),
  });
  const url = "/v1/datasets/d/observations";
  const query = (step: number) => `?checkpoint=c${step}&step=${step}&loss=cross_entropy&mode=eval`;

  it.each<[string, string, () => Buffer | string]>([
    [
      "lines",
      NDJSON,
      () => Array.from({ length: 150 }, (_, index) => JSON.stringify(sampleOf(index))).join("\n"),
    ],
    [
      "rows",
      ARROW,
      () => {
        const samples = Array.from({ length: 300 }, (_, index) => sampleOf(index));
        return arrow({
          id: [new Utf8(), samples.map(({ id }) => id)],
          label: [new Float64(), samples.map(({ label }) => label)],
          logits: [new List(new Field("item", new Float64())), samples.map(({ logits }) => logits)],
        });
      },
    ],
  ])("give other requests a turn as %s", async (_, type, payloadOf) => {
    const app = await testApp({ limits: { ...TEST_LIMITS, samplesMax: 2048, bodyBytesMax: 2 ** 24 } });
    const payload = payloadOf();
    for (const step of [1, 2]) {
      const { longestMs } = await heldTurns(async () => {
        const headers = { "content-type": type };
        const answer = await app.inject({ method: "POST", url: url + query(step), headers, payload });
        expect(answer.statusCode, answer.body).toBe(200);
      });
      expect(longestMs).toBeLessThan(HELD_MS_MAX);
    }
  });

  it("are as many in one JSON body as can be written in one go", async () => {
    const app = await testApp({ limits: { ...TEST_LIMITS, samplesMax: 2048, bodyBytesMax: 2 ** 24 } });
    const bodyOf = (count: number) => ({
      checkpoint: { name: "c", step: 1 },
      loss: "cross_entropy",
      mode: "eval",
      samples: Array.from({ length: count }, (_, index) => sampleOf(index)),
    });
    const post = async (count: number) => app.inject({ method: "POST", url, payload: bodyOf(count) });
    const many = await post(65);
    expect(many.json()).toMatchObject({
      status: 413,
      code: "body_too_large",
      detail: expect.stringContaining("has more than 65536 logits: send fewer samples at once"),
    });
    expect((await post(1000)).statusCode).toBe(413);
    const { longestMs } = await heldTurns(async () => {
      expect((await post(64)).statusCode).toBe(200);
    });
    expect(longestMs).toBeLessThan(HELD_MS_MAX);
  });
});

describe("exports at the same time", () => {
  it.each(["ndjson", "csv", "arrow", "parquet"])(
    "hold the event loop no longer than one: %s",
    async (format) => {
      const store = await temporaryStore();
      await fillDataset(store, "d", 20_000);
      const app = await testApp({ store });
      const { longestMs } = await heldTurns(async () => {
        const answers = await Promise.all(
          Array.from({ length: 8 }, () => app.inject(`/v1/datasets/d/export?format=${format}`)),
        );
        for (const { statusCode, rawPayload } of answers) {
          expect(statusCode).toBe(200);
          expect(rawPayload.length).toBeGreaterThan(100_000);
        }
      });
      expect(longestMs).toBeLessThan(HELD_MS_MAX);
    },
  );
});
