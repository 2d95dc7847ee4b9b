import {
  Dictionary,
  Field,
  Float64,
  Int8,
  List,
  makeVector,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Table,
  Timestamp,
  TimeUnit,
  tableToIPC,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import type { FastifyInstance } from "fastify";
import { expect, it } from "vitest";
import { arrowMessages } from "../../../src/http/arrow/messages.js";
import { TEST_LIMITS, testApp } from "../../support/app.js";
import { arrow } from "../../support/arrow.js";

const ARROW = "application/vnd.apache.arrow.stream";

async function post(app: FastifyInstance, payload: Buffer, url = "/v1/score") {
  return app.inject({ method: "POST", url, headers: { "content-type": ARROW }, payload });
}

/** A stream of one row in which the schema, its column and the record batch have metadata of their own. */
function annotated(): Buffer {
  const entries = new Map([["key", "value"]]);
  const schema = new Schema([new Field("text", new Utf8(), true, entries)], entries);
  const { data } = new Table({ text: vectorFromArray(["usb c cable"], new Utf8()) })
    .batches[0] as RecordBatch;
  const writer = new RecordBatchStreamWriter();
  writer.write(new RecordBatch(schema, data, entries));
  writer.finish();
  return Buffer.from(writer.toUint8Array(true));
}

/** A stream with a dictionary, a list and a time zone. */
function varied(): Buffer {
  return arrow({
    text: [new Dictionary(new Utf8(), new Int8()), ["usb", "cable", "usb"]],
    label: [new List(new Field("item", new Float64())), [[1], [0], [1]]],
    id: [new Timestamp(TimeUnit.MILLISECOND, "Europe/Berlin"), [1, 2, 3]],
  });
}

it.each([
  ["metadata of message, schema and column", annotated],
  ["a dictionary, a list and a time zone", varied],
])("no count in a small body costs more than its bytes: %s", async (_, streamOf) => {
  const app = await testApp();
  const whole = streamOf();
  expect(whole.length).toBeLessThan(4096);
  await post(app, whole);
  const slow: string[] = [];
  for (let at = 0; at + 4 <= whole.length; at += 4)
    for (const count of [2 ** 10, 2 ** 22]) {
      const changed = Buffer.from(whole);
      changed.writeUInt32LE(count, at);
      const before = process.cpuUsage();
      const { statusCode } = await post(app, changed);
      const spent = process.cpuUsage(before);
      // Where a count is taken at its word, 2^22 takes almost two seconds.
      if (spent.user > 1_000_000 || statusCode >= 500) slow.push(`${count} at ${at}: ${statusCode}`);
    }
  expect(slow).toEqual([]);
});

it("a text that is named in many places is decoded no more than a few times", async () => {
  const app = await testApp();
  const fields = Array.from({ length: 500 }, (_, at) => new Field(`${at}`.padEnd(16, "x"), new Utf8()));
  const whole = Buffer.from(
    tableToIPC(new Table(new Schema([new Field("y".repeat(2 ** 16), new Utf8()), ...fields])), "stream"),
  );
  const long = whole.indexOf("y".repeat(100)) - 4;
  expect(whole.readUInt32LE(long)).toBe(2 ** 16);
  // The name of a column is an offset from the place where it stands.
  for (let at = 8; at < long; at += 4) {
    const name = at + whole.readUInt32LE(at);
    if (name + 20 < long && whole.readUInt32LE(name) === 16) whole.writeUInt32LE(long - at, at);
  }
  const answer = await post(app, whole);
  expect(answer.json()).toMatchObject({
    status: 400,
    detail: expect.stringContaining("its metadata cannot be read"),
  });
});

it("says which column has no name", async () => {
  const app = await testApp();
  const nameless = new Table({
    text: vectorFromArray(["a"], new Utf8()),
    "": vectorFromArray([1], new Float64()),
  });
  for (const url of ["/v1/score", "/v1/datasets/d/observations?checkpoint=c&step=1&loss=bce&mode=eval"]) {
    const answer = await post(app, Buffer.from(tableToIPC(nameless, "stream")), url);
    expect(answer.json()).toMatchObject({
      status: 400,
      code: "invalid_request",
      detail: expect.stringContaining("column 2 has no name"),
    });
  }
});

/** Four texts as pyarrow writes them with `IpcWriteOptions(compression="lz4")`. */
const COMPRESSED = [
  "/////3AAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAUAAAAEAAUAAgABgAHAAwAAAAQ",
  "ABAAAAAAAAEFEAAAABwAAAAEAAAAAAAAAAQAAAB0ZXh0AAAAAAQABAAEAAAA/////6gAAAAUAAAAAAAAAAwAGAAGAAUACAAMAAwA",
  "AAAAAwQAHAAAAGgAAAAAAAAAAAAAAAwAHAAQAAQACAAMAAwAAABYAAAAHAAAABQAAAAEAAAAAAAAAAAAAAAEAAQABAAAAAMAAAAA",
  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAArAAAAAAAAADAAAAAAAAAAOAAAAAAAAAAAAAAAAQAAAAQAAAAAAAAAAAAAAAAAAAAUAAAA",
  "AAAAAAQiTRhgQIIUAACAAAAAACMAAABGAAAAaQAAAIwAAAAAAAAAAAAAAACMAAAAAAAAAAQiTRhgQIIhAAAAz3VzYiBjIGNhYmxl",
  "IAwABA8XAAQILwAPIwAuUGNhYmxlAAAAAP////8AAAAA",
].join("");

it("says how to write a stream whose buffers are compressed", async () => {
  const app = await testApp();
  const answer = await post(app, Buffer.from(COMPRESSED, "base64"));
  expect(answer.json()).toMatchObject({
    status: 400,
    detail: expect.stringContaining("its buffers are compressed: write the stream without compression"),
  });
});

it("decodes a dictionary once, however many record batches share it", async () => {
  const app = await testApp({ limits: { ...TEST_LIMITS, bodyBytesMax: 2 ** 23 } });
  const texts = vectorFromArray(
    Array.from({ length: 50_000 }, (_, at) => `text ${at}`),
    new Utf8(),
  );
  const type = new Dictionary(new Utf8(), new Int8());
  const rows = new Table(
    Array.from(
      { length: 1000 },
      () =>
        new Table({ text: makeVector({ type, data: new Int8Array(1), dictionary: texts }) })
          .batches[0] as RecordBatch,
    ),
  );
  const before = process.cpuUsage();
  const answer = await post(app, Buffer.from(tableToIPC(rows, "stream")));
  expect(answer.statusCode).toBe(200);
  // To look at the dictionary in each batch takes more than ten seconds.
  expect(process.cpuUsage(before).user / 1e6).toBeLessThan(5);
});

it("says in its own words what cannot be read", async () => {
  const app = await testApp();
  const whole = arrow({ text: [new Utf8(), ["a", "b"]] }, 1);
  // Without its nodes, a record batch has fewer columns than the schema says.
  const batch = whole.indexOf("ffffffff", 8, "hex");
  const metadata = batch + 8;
  const table = metadata + whole.readUInt32LE(metadata);
  const header = table + whole.readUInt16LE(table - whole.readInt32LE(table) + 8);
  const record = header + whole.readUInt32LE(header);
  const nodes = record + whole.readUInt16LE(record - whole.readInt32LE(record) + 6);
  whole.writeUInt32LE(0, nodes + whole.readUInt32LE(nodes));
  const answer = await post(app, whole);
  expect(answer.json()).toMatchObject({
    status: 400,
    detail: "The body is not an Arrow IPC stream that can be read: record batch 1 cannot be read",
  });
});

it("takes a null in a dictionary for a field that the sample lacks", async () => {
  const app = await testApp();
  const dictionary = vectorFromArray([null, "usb c cable"], new Utf8());
  const text = makeVector({
    type: new Dictionary(new Utf8(), new Int8()),
    data: Int8Array.of(1, 0),
    dictionary,
  });
  const answer = await post(app, Buffer.from(tableToIPC(new Table({ text }), "stream")));
  const { tableFromIPC } = await import("apache-arrow");
  const rows = tableFromIPC(answer.rawPayload).toArray();
  expect(rows.map(({ error }) => error)).toEqual([null, "invalid_request"]);
  expect(rows[1].detail).toContain("needs query and document, or text");
});

it("gives a chunk's messages as parts of the chunk, without copies of the rest", async () => {
  const whole = arrow({ text: [new Utf8(), Array.from({ length: 200 }, (_, at) => `text ${at}`)] }, 1);
  const held = { most: 0, now: 0 };
  const memory = {
    take(bytes: number) {
      held.now += bytes;
      held.most = Math.max(held.most, held.now);
    },
    give(bytes: number) {
      held.now -= bytes;
    },
  };
  for (const size of [1, 7, 100, whole.length]) {
    async function* chunks() {
      for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
    }
    const messages: Buffer[] = [];
    for await (const message of arrowMessages(chunks(), { bytesMax: 2 ** 20, memory }))
      messages.push(message);
    expect(messages).toHaveLength(201);
    expect(Buffer.concat(messages)).toEqual(whole.subarray(0, -8));
  }
});
