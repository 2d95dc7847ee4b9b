import {
  Dictionary,
  Float64,
  Int8,
  makeVector,
  Table,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import { describe, expect, it } from "vitest";
import { TEST_LIMITS, testApp } from "../support/app.js";
import { arrow } from "../support/arrow.js";
import { heldTurns } from "../support/turns.js";

const NDJSON = "application/x-ndjson";
const ARROW = "application/vnd.apache.arrow.stream";
const OBSERVE = "/v1/datasets/d/observations?checkpoint=c&step=1&loss=bce&mode=eval";

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
    expect(longestMs).toBeLessThan(150);
  });
});
