import { expect, it } from "vitest";
import type { Store } from "../../../src/store/port.js";
import { keptIds } from "../../../src/text/kept-ids.js";
import { type OpenStore, sample, scanAll, weighIds } from "./records.js";

const RULES = { merge: () => ({ classes: 1, count: 0, sums: [], left: [], predicted: 0 }) };
const EMBEDDING = { type: "int8", bytesMax: 10_000 } as const;

/** What every store promises of datasets that keep hashes instead of ids; `store` is an empty one, `open` opens its place again. */
export function describeHashedIds(store: () => Store, open: OpenStore): void {
  const write = (ids: readonly string[], of = store(), dataset = "d") =>
    of.writeSamples(
      dataset,
      ids.map((id) => ({ id, record: sample() })),
    );

  async function idsOf(dataset = "d"): Promise<string[]> {
    return (await scanAll(store(), dataset)).map(({ id }) => id).sort();
  }

  async function hashesOf(ids: readonly string[], dataset = "d"): Promise<string[]> {
    return ids.map(keptIds(await store().digestKey(), dataset)).sort();
  }

  it("take ids as they are known, and give hashes in scans", async () => {
    await store().writeSettings("d", { hashedIds: true });
    const [a, b] = [sample({ label: 1 }), sample({ label: 0, textDigest: Buffer.from("b-text") })];
    const entries = [
      { id: "a", record: a },
      { id: "é", record: b },
    ];
    await store().writeSamples("d", entries);
    const hashes = await hashesOf(["a", "é"]);
    expect(hashes).toEqual([expect.stringMatching(/^[\w-]{16}$/), expect.stringMatching(/^[\w-]{16}$/)]);
    expect(await idsOf()).toEqual(hashes);
    expect(await store().readSamples("d", ["é", "a", "c"])).toEqual([
      { record: b, weight: null },
      { record: a, weight: null },
      null,
    ]);
    const found = await store().lookUp("d", ["c", "a"]);
    expect(found?.hashedIds).toBe(true);
    expect([...(found?.shapeOf ?? [])].map((shape) => shape >= 0)).toEqual([false, true]);
    expect(await store().readSamples("d", hashes)).toEqual([null, null]);
    expect((await store().readSamples("d", hashes, "kept")).map((each) => each !== null)).toEqual([
      true,
      true,
    ]);
    expect(await store().readDataset("d")).toMatchObject({ samples: 2, hashedIds: true });
    expect((await store().listDatasets(null, 10)).items).toMatchObject([{ hashedIds: true }]);
    expect(await store().readSettings("d")).toEqual({ embedding: null, hashedIds: true });
  });

  it("replace, weigh and delete samples by their ids, with histories and embeddings", async () => {
    await store().writeSettings("d", { hashedIds: true, embedding: EMBEDDING });
    const entry = (id: string, label: number) => ({ id, record: sample({ label }), logits: [label] });
    const checkpoint = { name: "epoch-1", step: 1 };
    const rules = { ...RULES, checkpoint, withSignals: (record: ReturnType<typeof sample>) => record };
    const keepNewest = (_: unknown, fresh: ReturnType<typeof sample>) => fresh;
    await store().writeSamples("d", [entry("a", 1), entry("b", 1)], keepNewest, rules);
    await store().writeSamples("d", [entry("a", 0), entry("a", 3)], keepNewest, rules);
    expect(await store().readDataset("d")).toMatchObject({ samples: 2 });
    const histories = (await store().readHistories("d", ["b", "c", "a"]))?.histories;
    expect(histories?.map((each) => each?.logits ?? null)).toEqual([[1], null, [3]]);
    const hashes = [...(await hashesOf(["b"])), ...(await hashesOf(["c"]))];
    const kept = (await store().readHistories("d", hashes, "kept"))?.histories;
    expect(kept?.map((each) => each?.logits ?? null)).toEqual([[1], null]);
    const { textDigest } = sample();
    const fresh = {
      origin: { model: "default@1", after: "embeddings", size: 2 },
      ids: ["a", "c"],
      textDigests: [textDigest as Buffer, textDigest as Buffer],
      values: Float32Array.of(1, 2, 3, 4),
    };
    expect(await store().writeEmbeddings("d", fresh)).toEqual({ kept: 1, withoutRoom: 0 });
    const ids = await hashesOf(["a"]);
    await weighIds(store(), "d", { ids, weights: Float64Array.of(2.5) }, {});
    expect((await store().readSamples("d", ["a", "b"])).map((each) => each?.weight)).toEqual([2.5, null]);
    expect(await store().deleteSample("d", ids[0] as string)).toBe(false);
    expect(await store().deleteSample("d", "a")).toBe(true);
    expect(await store().readSamples("d", ["a"])).toEqual([null]);
    expect(await idsOf()).toEqual(await hashesOf(["b"]));
    expect((await store().readDataset("d"))?.embeddings?.origins).toMatchObject([{ samples: 0 }]);
  });

  it("are set while they have no samples, and not afterwards", async () => {
    await write(["a"]);
    expect(await store().readDataset("d")).toMatchObject({ hashedIds: false });
    await expect(store().writeSettings("d", { hashedIds: true })).rejects.toMatchObject({
      code: "dataset_not_empty",
      message: expect.stringContaining("as they were sent"),
    });
    await store().writeSettings("d", { hashedIds: false, embedding: EMBEDDING });
    expect(await store().readSettings("d")).toEqual({ embedding: EMBEDDING, hashedIds: false });
    await store().deleteSample("d", "a");
    await store().writeSettings("d", { hashedIds: true });
    await write(["a"]);
    await store().writeSettings("d", {});
    await store().writeSettings("d", { hashedIds: true, embedding: null });
    await expect(
      store().writeSettings("d", { hashedIds: false, embedding: EMBEDDING }),
    ).rejects.toMatchObject({
      code: "dataset_not_empty",
      message: expect.stringContaining("as keyed hashes"),
    });
    expect(await store().readSettings("d")).toEqual({ embedding: null, hashedIds: true });
    expect(await idsOf()).toEqual(await hashesOf(["a"]));
  });

  it("have other hashes in another dataset and under another digest key", async () => {
    for (const dataset of ["d", "e"]) {
      await store().writeSettings(dataset, { hashedIds: true });
      await write(["a"], store(), dataset);
    }
    expect(await idsOf("d")).not.toEqual(await idsOf("e"));
    const other = await open({ digestKey: Buffer.alloc(32, 7) });
    expect(await other.readSamples("d", ["a"])).toEqual([null]);
    expect(await (await open()).readSamples("d", ["a"])).toEqual([expect.objectContaining({ weight: null })]);
  });

  it("follow another process that begins the dataset anew with the other form of ids", async () => {
    const other = await open();
    await write(["a"]);
    expect(await idsOf()).toEqual(["a"]);
    await other.deleteDataset("d");
    await other.writeSettings("d", { hashedIds: true, embedding: EMBEDDING });
    await write(["a", "b"]);
    expect(await idsOf()).toEqual(await hashesOf(["a", "b"]));
    await other.deleteDataset("d");
    await write(["a"], other);
    expect((await store().readSamples("d", ["a"])).map((each) => each !== null)).toEqual([true]);
    await write(["b"]);
    expect(await idsOf()).toEqual(["a", "b"]);
    await other.deleteDataset("d");
    await other.writeSettings("d", { hashedIds: true });
    await write(["c"], other);
    expect(await store().deleteSample("d", "c")).toBe(true);
  });

  it("have ids in one form only, if samples and the setting arrive at once", async () => {
    const other = await open();
    const forms = new Set<string>();
    for (let round = 0; round < 20; round++) {
      const dataset = `d${round}`;
      const set = () =>
        other.writeSettings(dataset, { hashedIds: true }).then(
          () => true,
          ({ code }: { code: string }) => code,
        );
      const writes = () => Promise.all([write(["a"], store(), dataset), write(["b"], other, dataset)]);
      const [isSet] =
        round % 2 === 0
          ? await Promise.all([set(), writes()])
          : (await Promise.all([writes(), set()])).reverse();
      forms.add(String(isSet));
      const expected = isSet === true ? await hashesOf(["a", "b"], dataset) : ["a", "b"];
      expect(await idsOf(dataset)).toEqual(expected);
    }
    expect([...forms].every((form) => form === "true" || form === "dataset_not_empty")).toBe(true);
  });
}
