import { expect, it } from "vitest";
import type { WrittenEmbeddings } from "../../../src/store/dataset-port.js";
import type { EmbeddingOrigin } from "../../../src/store/dataset-records.js";
import type { Store } from "../../../src/store/port.js";
import { type OpenStore, sample, scanAll } from "./records.js";

const ORIGIN: EmbeddingOrigin = { model: "default@1", after: "embeddings", size: 4 };
const INT8 = { type: "int8", bytesMax: 10_000 } as const;
/** Origin, scale and a byte for each value. */
const INT8_BYTES = 2 + 4 + 4;

/** What every store promises of embeddings; `store` is an empty one, `open` opens its place again. */
export function describeEmbeddings(store: () => Store, open: OpenStore): void {
  const digest = (text: string): Buffer => Buffer.from(text.padEnd(6).slice(0, 6));

  /** Writes a sample with the text for each id. */
  async function writeSamples(texts: Readonly<Record<string, string>>): Promise<void> {
    const entries = Object.entries(texts).map(([id, text]) => ({
      id,
      record: sample({ textDigest: digest(text) }),
    }));
    await store().writeSamples("d", entries, (_, fresh) => fresh);
  }

  async function writeEmbeddings(
    rows: Readonly<Record<string, readonly [text: string, ...values: number[]]>>,
    origin = ORIGIN,
  ): Promise<WrittenEmbeddings> {
    const all = Object.values(rows);
    return store().writeEmbeddings("d", {
      origin,
      ids: Object.keys(rows),
      textDigests: all.map(([text]) => digest(text)),
      values: Float32Array.from(all.flatMap(([, ...values]) => values)),
    });
  }

  /** The embeddings that a scan gives, by the id of their sample. */
  async function embeddings(of = store()): Promise<Record<string, number[]>> {
    const ids = new Map<number, string>();
    for await (const chunk of of.scanSamples("d"))
      for (let index = 0; index < chunk.count; index++)
        ids.set(chunk.numbers[index] as number, chunk.id(index));
    const found: Record<string, number[]> = {};
    for await (const { count, numbers, values, scales, origin } of of.scanEmbeddings("d"))
      for (let index = 0; index < count; index++) {
        const row = [...values.subarray(index * origin.size, (index + 1) * origin.size)];
        found[ids.get(numbers[index] as number) ?? "?"] = row.map((each) => each * (scales[index] as number));
      }
    return found;
  }

  const kept = async () => (await store().readDataset("d"))?.embeddings;

  it("are kept only by a dataset whose settings ask for them, which may have no samples yet", async () => {
    expect(await store().readSettings("d")).toBeNull();
    await writeSamples({ a: "text" });
    expect(await store().readSettings("d")).toEqual({ embedding: null, hashedIds: false });
    expect(await writeEmbeddings({ a: ["text", 1, 2, 3, 4] })).toEqual({ kept: 0, withoutRoom: 0 });
    expect(await kept()).toBeNull();
    await store().writeSettings("empty", { embedding: INT8 });
    expect(await store().readSettings("empty")).toEqual({ embedding: INT8, hashedIds: false });
    expect(await store().readDataset("empty")).toMatchObject({
      samples: 0,
      embeddings: { ...INT8, origins: [] },
    });
    expect((await store().listDatasets(null, 10)).items.map(({ dataset }) => dataset)).toEqual([
      "d",
      "empty",
    ]);
  });

  it("come back by number, to half a step of 127 with int8 and to float16 with float16", async () => {
    await store().writeSettings("d", { embedding: INT8 });
    await writeSamples({ a: "text", b: "other", c: "third" });
    expect(await writeEmbeddings({ b: ["other", 1.27, -0.5, 0.004, 0], a: ["text", 0, 0, 0, 0] })).toEqual({
      kept: 2,
      withoutRoom: 0,
    });
    const { a, b } = await embeddings();
    expect(a).toEqual([0, 0, 0, 0]);
    for (const [d, value] of [1.27, -0.5, 0.004, 0].entries())
      expect(Math.abs((b?.[d] as number) - value)).toBeLessThan(0.0057);
    expect(await kept()).toEqual({
      ...INT8,
      origins: [{ ...ORIGIN, samples: 2, bytes: 2 * INT8_BYTES }],
    });
    await store().writeSettings("d", { embedding: { ...INT8, type: "float16" } });
    expect(await embeddings()).toEqual({});
    expect(await kept()).toMatchObject({ type: "float16", origins: [] });
    await writeEmbeddings({ c: ["third", 1.27, -0.5, 0.004, 65_504] });
    const { c } = await embeddings();
    expect(c?.map((value) => Math.round(value * 1000) / 1000)).toEqual([1.27, -0.5, 0.004, 65_504]);
  });

  it("of the values rounded to float16 are those of the values themselves", async () => {
    await store().writeSettings("d", { embedding: INT8 });
    await writeSamples({ a: "text", b: "text" });
    // float16 holds 2049 as 2048.
    await writeEmbeddings({ a: ["text", 2049, 8.064, 0, 1], b: ["text", 2048, 8.0625, 0, 1] });
    const { a, b } = await embeddings();
    expect(a).toEqual(b);
  });

  it("go with another text, but stay with another label and with a text that is unknown", async () => {
    await store().writeSettings("d", { embedding: INT8 });
    await writeSamples({ a: "text", b: "text" });
    await writeEmbeddings({ a: ["text", 1, 0, 0, 0], b: ["text", 2, 0, 0, 0] });
    const record = sample({ textDigest: digest("text"), label: 0 });
    await store().writeSamples("d", [{ id: "a", record }]);
    const unknown = sample({ textDigest: null });
    await store().writeSamples("d", [{ id: "a", record: unknown }], (old, fresh) => ({
      ...fresh,
      textDigest: old.textDigest,
    }));
    expect(Object.keys(await embeddings())).toEqual(["a", "b"]);
    await store().writeSamples("d", [{ id: "a", record: sample({ textDigest: digest("new") }) }]);
    await writeSamples({ b: "new too" });
    expect(await embeddings()).toEqual({});
    expect(await kept()).toMatchObject({ origins: [{ samples: 0, bytes: 0 }] });
  });

  it("are not kept of a text that the sample no longer has, nor of a sample that is gone", async () => {
    await store().writeSettings("d", { embedding: INT8 });
    await writeSamples({ a: "new" });
    expect(await writeEmbeddings({ a: ["old", 1, 0, 0, 0], gone: ["text", 1, 0, 0, 0] })).toEqual({
      kept: 0,
      withoutRoom: 0,
    });
    expect(await kept()).toMatchObject({ origins: [] });
  });

  it("go with their sample and with their dataset, and do not come back", async () => {
    await store().writeSettings("d", { embedding: INT8 });
    await writeSamples({ a: "text", b: "text" });
    await writeEmbeddings({ a: ["text", 1, 0, 0, 0], b: ["text", 2, 0, 0, 0] });
    await store().deleteSample("d", "a");
    expect(Object.keys(await embeddings())).toEqual(["b"]);
    expect(await kept()).toMatchObject({ origins: [{ samples: 1, bytes: INT8_BYTES }] });
    await store().deleteDataset("d");
    expect(await store().readSettings("d")).toBeNull();
    await writeSamples({ b: "text" });
    expect(await kept()).toBeNull();
    expect(await embeddings()).toEqual({});
  });

  it("go when the settings turn them off, and other settings stay as they are", async () => {
    await store().writeSettings("d", { embedding: INT8 });
    await writeSamples({ a: "text" });
    await writeEmbeddings({ a: ["text", 1, 0, 0, 0] });
    await store().writeSettings("d", {});
    expect(Object.keys(await embeddings())).toEqual(["a"]);
    await store().writeSettings("d", { embedding: null });
    expect(await kept()).toBeNull();
    expect(await embeddings()).toEqual({});
    await store().writeSettings("d", { embedding: INT8 });
    expect(await embeddings()).toEqual({});
    expect(await scanAll(store(), "d")).toHaveLength(1);
  });

  it("have room up to bytesMax: more are not kept, and those that are replaced take no more room", async () => {
    await store().writeSettings("d", { embedding: { ...INT8, bytesMax: 2 * INT8_BYTES } });
    await writeSamples({ a: "text", b: "text", c: "text" });
    const three = { a: ["text", 1, 0, 0, 0], b: ["text", 2, 0, 0, 0], c: ["text", 3, 0, 0, 0] } as const;
    expect(await writeEmbeddings(three)).toEqual({ kept: 2, withoutRoom: 1 });
    expect(await writeEmbeddings({ a: ["text", 4, 0, 0, 0] })).toEqual({ kept: 1, withoutRoom: 0 });
    expect((await embeddings()).a?.[0]).toBeCloseTo(4, 5);
    await store().deleteSample("d", "b");
    expect(await writeEmbeddings({ c: ["text", 3, 0, 0, 0] })).toEqual({ kept: 1, withoutRoom: 0 });
    await store().writeSettings("d", { embedding: { ...INT8, bytesMax: 1 } });
    expect(Object.keys(await embeddings())).toEqual(["a", "c"]);
    expect(await writeEmbeddings({ a: ["text", 5, 0, 0, 0] })).toEqual({ kept: 0, withoutRoom: 1 });
  });

  it("of another model are not read with those of the newest, and give way as samples are scored again", async () => {
    await store().writeSettings("d", { embedding: INT8 });
    await writeSamples({ a: "text", b: "text", c: "text" });
    await writeEmbeddings({ a: ["text", 1, 0, 0, 0], b: ["text", 2, 0, 0, 0], c: ["text", 3, 0, 0, 0] });
    const renewed = { model: "default@2", after: "layer 1", size: 2 };
    await writeEmbeddings({ a: ["text", 7, 0] }, renewed);
    expect(await embeddings()).toEqual({ a: [expect.closeTo(7, 5), 0] });
    expect(await kept()).toMatchObject({
      origins: [
        { ...ORIGIN, samples: 2, bytes: 2 * INT8_BYTES },
        { ...renewed, samples: 1, bytes: 8 },
      ],
    });
    await writeEmbeddings({ b: ["text", 8, 0], c: ["text", 9, 0] }, renewed);
    expect(await kept()).toMatchObject({ origins: [{ ...renewed, samples: 3, bytes: 24 }] });
    // The model of before is the newest again.
    await writeEmbeddings({ b: ["text", 2, 0, 0, 0] });
    expect(Object.keys(await embeddings())).toEqual(["b"]);
  });

  it("are counted right when several processes write them at once", async () => {
    await store().writeSettings("d", { embedding: { ...INT8, bytesMax: 100 * INT8_BYTES } });
    const ids = Array.from({ length: 150 }, (_, index) => `s${index}`);
    await writeSamples(Object.fromEntries(ids.map((id) => [id, "text"])));
    const stores = [store(), await open(), await open()];
    const results = await Promise.all(
      stores.map((each, part) => {
        const own = ids.filter((_, index) => index % 3 === part);
        const values = new Float32Array(own.length * 4).fill(part + 1);
        return each.writeEmbeddings("d", {
          origin: ORIGIN,
          ids: own,
          textDigests: own.map(() => digest("text")),
          values,
        });
      }),
    );
    expect(results.reduce((sum, { kept: each }) => sum + each, 0)).toBe(100);
    expect(results.reduce((sum, { withoutRoom }) => sum + withoutRoom, 0)).toBe(50);
    expect(Object.keys(await embeddings(stores[1]))).toHaveLength(100);
    expect(await kept()).toMatchObject({ origins: [{ samples: 100, bytes: 100 * INT8_BYTES }] });
  });
}
