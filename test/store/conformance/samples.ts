import { describe, expect, it } from "vitest";
import type { SampleRecord } from "../../../src/store/dataset-records.js";
import type { Store } from "../../../src/store/port.js";
import { SHAPES_MAX, SIGNAL_NAMES_MAX } from "../../../src/store/shape-limits.js";
import { groupDigest, type OpenStore, sample, scanAll, weighIds } from "./records.js";

/** What every store promises of samples; `store` is an empty one, `open` opens its place again. */
export function describeSamples(store: () => Store, open: OpenStore): void {
  it("come back in the order of the ids with all their fields, null where unknown", async () => {
    const a = sample({ label: 1 });
    const b = sample({
      label: null,
      group: groupDigest("usb c cable"),
      signals: new Map([["entropy", 0.25]]),
    });
    await store().writeSamples("d", [
      { id: "a", record: a },
      { id: "b", record: b },
    ]);
    expect(await store().readSamples("d", ["b", "missing", "a", "b"])).toEqual([
      { record: b, weight: null },
      null,
      { record: a, weight: null },
      { record: b, weight: null },
    ]);
    expect(await store().readSamples("unknown", ["a", "b"])).toEqual([null, null]);
    expect(await store().readSamples("d", [])).toEqual([]);
  });

  it.each([
    ["no label", null],
    ["a hard label", 0],
    ["a class index", 7],
    ["a soft label", 0.1],
    ["a large real number", -123456.789],
    ["probabilities", [0.1, 0.2, 0.7]],
    ["probabilities that float32 holds", [0.5, 0.25, 0.25]],
  ])("keep %s to the last bit", async (_, label) => {
    await store().writeSamples("d", [{ id: "a", record: sample({ label }) }]);
    const [read] = await store().readSamples("d", ["a"]);
    expect(read?.record.label).toEqual(label);
  });

  it("keep signals in float32, whatever their names", async () => {
    const signals = new Map([
      ["loss", 0.1],
      ["grad_norm_last", 1e-30],
      ["a signal of a later version", -3.4e38],
    ]);
    await store().writeSamples("d", [{ id: "a", record: sample({ signals }) }]);
    const [read] = await store().readSamples("d", ["a"]);
    expect(read?.record.signals).toEqual(
      new Map([...signals].map(([name, value]) => [name, Math.fround(value)])),
    );
  });

  it("keep a record that is larger than any bucket likes", async () => {
    const signals = new Map(Array.from({ length: 40 }, (_, index) => [`signal_${index}`, index] as const));
    const record = sample({ signals, group: groupDigest("g".repeat(256)), label: Array(50).fill(0.02) });
    await store().writeSamples("d", [{ id: "é".repeat(128), record }]);
    expect(await store().readSamples("d", ["é".repeat(128)])).toEqual([{ record, weight: null }]);
  });

  it("tell ids apart that are prefixes, numbers or other spellings of each other", async () => {
    const ids = [
      "a",
      "aa",
      "a:",
      "a:b",
      "a\u0000",
      "1",
      "01",
      "1.0",
      "-1",
      "日本語",
      "é",
      "e\u0301",
      "😀",
      "{a}",
      "*",
      "x".repeat(256),
    ];
    await store().writeSamples(
      "d",
      ids.map((id, index) => ({ id, record: sample({ label: index }) })),
    );
    const read = await store().readSamples("d", ids);
    expect(read.map((each) => each?.record.label)).toEqual(ids.map((_, index) => index));
    expect((await store().readDataset("d"))?.samples).toBe(ids.length);
    expect((await scanAll(store(), "d")).map(({ id }) => id).sort()).toEqual([...ids].sort());
  });

  it("belong to their dataset, though its name be a prefix of another's", async () => {
    const names = ["a", "aa", "a}", "{a", "a:b", "a}:b", "日本", "n".repeat(128)];
    for (const [index, name] of names.entries()) {
      await store().writeSamples(name, [{ id: "x", record: sample({ label: index }) }]);
    }
    for (const [index, name] of names.entries()) {
      expect((await store().readSamples(name, ["x"]))[0]?.record.label).toBe(index);
    }
    await store().deleteDataset("a");
    expect(await store().readSamples("a", ["x"])).toEqual([null]);
    for (const name of names.slice(1)) expect((await store().readDataset(name))?.samples).toBe(1);
  });

  it("are replaced by a later writing, without being counted twice", async () => {
    await store().writeSamples("d", [{ id: "a", record: sample({ label: 0 }) }]);
    const next = sample({ label: 1, model: "other@2", signals: new Map([["margin", -2]]) });
    await store().writeSamples("d", [{ id: "a", record: next }]);
    expect(await store().readSamples("d", ["a"])).toEqual([{ record: next, weight: null }]);
    expect((await store().readDataset("d"))?.samples).toBe(1);
  });

  it("are merged with the record that they replace, if the writer says how, also by two writers at once", async () => {
    const other = await open();
    const adds = (old: SampleRecord, fresh: SampleRecord): SampleRecord => ({
      ...fresh,
      signals: new Map([...old.signals, ...fresh.signals]),
    });
    const signal = (name: string) => sample({ signals: new Map([[name, 1]]) });
    await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        (index % 2 ? store() : other).writeSamples(
          "d",
          ["a", "b"].map((id) => ({ id, record: signal(`s${index}`) })),
          adds,
        ),
      ),
    );
    const names = Array.from({ length: 16 }, (_, index) => `s${index}`).sort();
    for (const found of await store().readSamples("d", ["a", "b"]))
      expect([...(found?.record.signals.keys() ?? [])].sort()).toEqual(names);
    expect((await store().readDataset("d"))?.samples).toBe(2);
  });

  it("keep where they came from, and what a trainer observed without a text", async () => {
    const observed = sample({
      outputsKey: null,
      textDigest: null,
      precision: null,
      observed: "train",
      source: "clicks-2026",
      earlier: new Map([["grad_norm", "default@0123456789ab"]]),
    });
    await store().writeSamples("d", [
      { id: "a", record: observed },
      { id: "b", record: sample({ source: "annotators" }) },
      { id: "c", record: sample() },
    ]);
    expect((await store().readSamples("d", ["a"]))[0]?.record).toEqual(observed);
    expect((await store().readDataset("d"))?.samplesBySource).toEqual(
      new Map([
        ["clicks-2026", 1],
        ["annotators", 1],
      ]),
    );
  });

  it("are kept all or none: a batch with a record that cannot be packed leaves nothing", async () => {
    const bad = { ...sample(), outputsKey: Buffer.alloc(3) };
    await expect(
      store().writeSamples("d", [
        { id: "a", record: sample() },
        { id: "b", record: bad },
      ]),
    ).rejects.toThrow(RangeError);
    expect(await store().readDataset("d")).toBeNull();
  });

  it("outlive a reopening", async () => {
    const record = sample({ label: 0.5 });
    await store().writeSamples("d", [{ id: "a", record }]);
    await weighIds(store(), "d", { ids: ["a"], weights: Float64Array.of(0.75) }, { scheme: "uniform" });
    await store().close();
    const again = await open();
    expect(await again.readSamples("d", ["a"])).toEqual([{ record, weight: 0.75 }]);
    expect((await again.readDataset("d"))?.snapshot?.provenance).toEqual({ scheme: "uniform" });
  });

  it("can be deleted one by one", async () => {
    await store().writeSamples("d", [
      { id: "a", record: sample() },
      { id: "b", record: sample() },
    ]);
    expect(await store().deleteSample("d", "a")).toBe(true);
    expect(await store().deleteSample("d", "a")).toBe(false);
    expect(await store().deleteSample("unknown", "a")).toBe(false);
    expect((await store().readSamples("d", ["a", "b"])).map((each) => each !== null)).toEqual([false, true]);
    expect((await store().readDataset("d"))?.samples).toBe(1);
  });

  it("are all seen once by a scan of 5,000", async () => {
    const ids = Array.from({ length: 5000 }, (_, index) => `sample-${index}`);
    for (let start = 0; start < ids.length; start += 1000) {
      const batch = ids.slice(start, start + 1000);
      await store().writeSamples(
        "d",
        batch.map((id) => ({ id, record: sample({ group: groupDigest(id) }) })),
      );
    }
    await store().writeSamples("other", [{ id: "not mine", record: sample() }]);
    const scanned = await scanAll(store(), "d");
    expect(scanned.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect(scanned.every(({ id, record }) => record.group === groupDigest(id))).toBe(true);
    expect(await scanAll(store(), "unknown")).toEqual([]);
  });

  it("are counted exactly when several writers write the same and other ids at once", async () => {
    const other = await open();
    const batches = Array.from({ length: 20 }, (_, batch) =>
      Array.from({ length: 50 }, (_, index) => ({
        id: `${(batch * 25 + index) % 400}`,
        record: sample({ model: `m@${batch % 3}` }),
      })),
    );
    await Promise.all(batches.map((batch, index) => (index % 2 ? store() : other).writeSamples("d", batch)));
    await Promise.all([
      store().deleteSample("d", "1"),
      other.deleteSample("d", "1"),
      other.deleteSample("d", "2"),
    ]);
    const summary = await other.readDataset("d");
    expect(summary?.samples).toBe(398);
    const byModel = new Map<string, number>();
    for (const { record } of await scanAll(store(), "d"))
      byModel.set(record.model, (byModel.get(record.model) ?? 0) + 1);
    expect(["m@0", "m@1", "m@2"]).toEqual(expect.arrayContaining([...byModel.keys()]));
    expect(summary?.samplesByModel).toEqual(byModel);
    expect(await scanAll(store(), "d")).toHaveLength(398);
  });

  describe("of many shapes", () => {
    const sourced = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => ({
        id: `s${from + index}`,
        record: sample({ source: `source ${from + index}` }),
      }));
    const full = expect.objectContaining({
      code: "shapes_full",
      message: expect.stringMatching(/4097 combinations .*They have 4097 sources, 1 models/),
    });

    it("are refused beyond the limit before anything is written, by every process", async () => {
      const other = await open();
      await other.writeSamples("d", sourced(0, 1));
      await store().writeSamples("d", sourced(1, SHAPES_MAX));
      const before = await store().readDataset("d");
      expect(before?.samplesBySource.size).toBe(SHAPES_MAX);
      for (const each of [store(), other, await open()])
        await expect(each.writeSamples("d", sourced(SHAPES_MAX - 1, SHAPES_MAX + 1))).rejects.toEqual(full);
      expect(await other.readDataset("d")).toEqual(before);
      expect(await other.readSamples("d", [`s${SHAPES_MAX}`])).toEqual([null]);
      await other.writeSamples("d", sourced(0, 10)); // of known sources
    });

    it("are refused in a dataset that is new, and taken by a later dataset of the name", async () => {
      await expect(store().writeSamples("d", sourced(0, SHAPES_MAX + 1))).rejects.toEqual(full);
      expect(await store().readDataset("d")).toBeNull();
      const other = await open();
      await store().writeSamples("d", sourced(0, SHAPES_MAX));
      await expect(store().writeSamples("d", sourced(SHAPES_MAX, SHAPES_MAX + 1))).rejects.toEqual(full);
      await other.deleteDataset("d");
      await store().writeSamples("d", sourced(SHAPES_MAX, SHAPES_MAX + 2));
      expect((await other.readDataset("d"))?.samples).toBe(2);
    });

    it("are refused if they have too many names of signals", async () => {
      const named = (from: number, to: number) =>
        Array.from({ length: to - from }, (_, index) => ({
          id: `s${from + index}`,
          record: sample({ signals: new Map([[`extras.${from + index}`, 1]]) }),
        }));
      await store().writeSamples("d", named(0, SIGNAL_NAMES_MAX));
      await expect(
        store().writeSamples("d", named(SIGNAL_NAMES_MAX, SIGNAL_NAMES_MAX + 1)),
      ).rejects.toMatchObject({
        code: "shapes_full",
        message: expect.stringContaining("513 names of signals and extras, and may have 512"),
      });
      expect((await store().readDataset("d"))?.samples).toBe(SIGNAL_NAMES_MAX);
    });
  });
}
