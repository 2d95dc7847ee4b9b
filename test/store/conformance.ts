import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LookedUp, SampleRecord, Store } from "../../src/store/port.js";
import { NO_PARTS } from "../support/outputs.js";
import { describeDirections } from "./directions.js";

/** What the suite needs of an adapter: a place that is empty at first and can be opened several times, also at once. */
export interface StorePlace {
  open(options?: StoreChoices): Promise<Store>;
  remove(): Promise<void>;
}

export interface StoreChoices {
  readonly digestKey?: Buffer | undefined;
  readonly outputsTtlMs?: number;
  readonly outputsBytesMax?: number;
}

/** What every store promises; each adapter's test file calls this with a way to make a fresh place. */
export function describeStore(name: string, makePlace: () => Promise<StorePlace>): void {
  describe(`${name}: what every store promises`, () => {
    let place: StorePlace;
    let store: Store;
    const opened: Store[] = [];

    async function open(choices?: StoreChoices): Promise<Store> {
      const another = await place.open(choices);
      opened.push(another);
      return another;
    }

    beforeEach(async () => {
      place = await makePlace();
      store = await open();
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((each) => each.close()));
      await place.remove();
    });

    describe("digest key", () => {
      it("is 32 bytes, the same for all who open the store at once and after a reopening", async () => {
        const others = await Promise.all([open(), open()]);
        const keys = await Promise.all([store, ...others].map((each) => each.digestKey()));
        expect(keys[0]).toHaveLength(32);
        expect(keys[1]?.equals(keys[0] as Buffer)).toBe(true);
        expect(keys[2]?.equals(keys[0] as Buffer)).toBe(true);
        await store.close();
        store = await open();
        expect((await store.digestKey()).equals(keys[0] as Buffer)).toBe(true);
      });

      it("is the given one where one is given, and that one is not kept", async () => {
        const given = randomBytes(32);
        const configured = await open({ digestKey: given });
        expect((await configured.digestKey()).equals(given)).toBe(true);
        expect((await store.digestKey()).equals(given)).toBe(false);
      });
    });

    describe("outputs", () => {
      it("come back in the order of the keys, null where unknown", async () => {
        const [first, second, unknown] = [outputsKey(), outputsKey(), outputsKey()];
        const one = { logits: Float32Array.of(1.5), featureNormSquared: 0.1, truncated: false, ...NO_PARTS };
        const three = {
          logits: Float32Array.of(-1, 0, 3.25),
          featureNormSquared: 1e20,
          truncated: true,
          ...NO_PARTS,
        };
        await store.writeOutputs([
          { key: first, record: one },
          { key: second, record: three },
        ]);
        const read = await store.readOutputs([second, unknown, first, second]);
        expect(read).toEqual([
          { ...three, featureNormSquared: Math.fround(1e20) },
          null,
          { ...one, featureNormSquared: Math.fround(0.1) },
          { ...three, featureNormSquared: Math.fround(1e20) },
        ]);
      });

      it("are empty lists for no keys, and writing none is no fault", async () => {
        await store.writeOutputs([]);
        expect(await store.readOutputs([])).toEqual([]);
      });

      it("can be read while they are being written", async () => {
        const entries = Array.from({ length: 300 }, (_, i) => ({ key: outputsKey(), record: outputs(i) }));
        const written = store.writeOutputs(entries);
        const read = await store.readOutputs(entries.map(({ key }) => key));
        expect(read).toEqual(entries.map(({ record }) => record));
        await written;
      });

      it("give way to records of the same key with more parts", async () => {
        const key = outputsKey();
        const larger = {
          ...outputs(2),
          gram: Float32Array.of(7),
          tangent: Float32Array.of(-1.5),
          features: Float32Array.from({ length: 384 }, (_, i) => i / 512),
        };
        for (const record of [outputs(2), larger]) await store.writeOutputs([{ key, record }]);
        expect(await store.readOutputs([key])).toEqual([larger]);
      });

      it("can be written twice", async () => {
        const entry = { key: outputsKey(), record: outputs(2) };
        await Promise.all([store.writeOutputs([entry]), store.writeOutputs([entry, entry])]);
        expect(await store.readOutputs([entry.key])).toEqual([entry.record]);
      });

      it("are forgotten after twice their time at the latest, and not before it", async () => {
        const shortLived = await open({ outputsTtlMs: 400 });
        const entry = { key: outputsKey(), record: outputs(1) };
        await shortLived.writeOutputs([entry]);
        const writtenAtMs = Date.now();
        await sleep(200);
        const early = await shortLived.readOutputs([entry.key]);
        if (Date.now() - writtenAtMs < 390) expect(early).toEqual([entry.record]);
        await sleep(700);
        expect(await shortLived.readOutputs([entry.key])).toEqual([null]);
      });

      it("give way to newer ones when they take too much", async () => {
        const small = await open({ outputsBytesMax: 40_000 });
        const batches = Array.from({ length: 12 }, (_, batch) =>
          Array.from({ length: 100 }, (_, index) => ({
            key: outputsKey(),
            record: outputs(batch * 100 + index),
          })),
        );
        for (const batch of batches) await small.writeOutputs(batch);
        const found = [];
        for (const batch of batches) {
          const read = await small.readOutputs(batch.map(({ key }) => key));
          found.push(read.filter((record) => record !== null).length);
        }
        expect(found[0]).toBe(0);
        expect(found.at(-1)).toBe(100);
      });
    });

    describe("samples", () => {
      it("come back in the order of the ids with all their fields, null where unknown", async () => {
        const a = sample({ label: 1 });
        const b = sample({ label: null, group: "usb c cable", signals: new Map([["entropy", 0.25]]) });
        await store.writeSamples("d", [
          { id: "a", record: a },
          { id: "b", record: b },
        ]);
        expect(await store.readSamples("d", ["b", "missing", "a", "b"])).toEqual([
          { record: b, weight: null },
          null,
          { record: a, weight: null },
          { record: b, weight: null },
        ]);
        expect(await store.readSamples("unknown", ["a", "b"])).toEqual([null, null]);
        expect(await store.readSamples("d", [])).toEqual([]);
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
        await store.writeSamples("d", [{ id: "a", record: sample({ label }) }]);
        const [read] = await store.readSamples("d", ["a"]);
        expect(read?.record.label).toEqual(label);
      });

      it("keep signals in float32, whatever their names", async () => {
        const signals = new Map([
          ["loss", 0.1],
          ["grad_norm_last", 1e-30],
          ["a signal of a later version", -3.4e38],
        ]);
        await store.writeSamples("d", [{ id: "a", record: sample({ signals }) }]);
        const [read] = await store.readSamples("d", ["a"]);
        expect(read?.record.signals).toEqual(
          new Map([...signals].map(([name, value]) => [name, Math.fround(value)])),
        );
      });

      it("keep a record that is larger than any bucket likes", async () => {
        const signals = new Map(
          Array.from({ length: 40 }, (_, index) => [`signal_${index}`, index] as const),
        );
        const record = sample({ signals, group: "g".repeat(256), label: Array(50).fill(0.02) });
        await store.writeSamples("d", [{ id: "é".repeat(128), record }]);
        expect(await store.readSamples("d", ["é".repeat(128)])).toEqual([{ record, weight: null }]);
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
        await store.writeSamples(
          "d",
          ids.map((id, index) => ({ id, record: sample({ label: index }) })),
        );
        const read = await store.readSamples("d", ids);
        expect(read.map((each) => each?.record.label)).toEqual(ids.map((_, index) => index));
        expect((await store.readDataset("d"))?.samples).toBe(ids.length);
        expect((await scanAll(store, "d")).map(({ id }) => id).sort()).toEqual([...ids].sort());
      });

      it("belong to their dataset, though its name be a prefix of another's", async () => {
        const names = ["a", "aa", "a}", "{a", "a:b", "a}:b", "日本", "n".repeat(128)];
        for (const [index, name] of names.entries()) {
          await store.writeSamples(name, [{ id: "x", record: sample({ label: index }) }]);
        }
        for (const [index, name] of names.entries()) {
          expect((await store.readSamples(name, ["x"]))[0]?.record.label).toBe(index);
        }
        await store.deleteDataset("a");
        expect(await store.readSamples("a", ["x"])).toEqual([null]);
        for (const name of names.slice(1)) expect((await store.readDataset(name))?.samples).toBe(1);
      });

      it("are replaced by a later writing, without being counted twice", async () => {
        await store.writeSamples("d", [{ id: "a", record: sample({ label: 0 }) }]);
        const next = sample({ label: 1, model: "other@2", signals: new Map([["margin", -2]]) });
        await store.writeSamples("d", [{ id: "a", record: next }]);
        expect(await store.readSamples("d", ["a"])).toEqual([{ record: next, weight: null }]);
        expect((await store.readDataset("d"))?.samples).toBe(1);
      });

      it("are kept all or none: a batch with a record that cannot be packed leaves nothing", async () => {
        const bad = { ...sample(), outputsKey: Buffer.alloc(3) };
        await expect(
          store.writeSamples("d", [
            { id: "a", record: sample() },
            { id: "b", record: bad },
          ]),
        ).rejects.toThrow(RangeError);
        expect(await store.readDataset("d")).toBeNull();
      });

      it("outlive a reopening", async () => {
        const record = sample({ label: 0.5 });
        await store.writeSamples("d", [{ id: "a", record }]);
        await store.writeSnapshot("d", { ids: ["a"], weights: Float64Array.of(0.75) }, { scheme: "uniform" });
        await store.close();
        store = await open();
        expect(await store.readSamples("d", ["a"])).toEqual([{ record, weight: 0.75 }]);
        expect((await store.readDataset("d"))?.snapshot?.provenance).toEqual({ scheme: "uniform" });
      });

      it("can be deleted one by one", async () => {
        await store.writeSamples("d", [
          { id: "a", record: sample() },
          { id: "b", record: sample() },
        ]);
        expect(await store.deleteSample("d", "a")).toBe(true);
        expect(await store.deleteSample("d", "a")).toBe(false);
        expect(await store.deleteSample("unknown", "a")).toBe(false);
        expect((await store.readSamples("d", ["a", "b"])).map((each) => each !== null)).toEqual([
          false,
          true,
        ]);
        expect((await store.readDataset("d"))?.samples).toBe(1);
      });

      it("are all seen once by a scan of 5,000", async () => {
        const ids = Array.from({ length: 5000 }, (_, index) => `sample-${index}`);
        for (let start = 0; start < ids.length; start += 1000) {
          const batch = ids.slice(start, start + 1000);
          await store.writeSamples(
            "d",
            batch.map((id) => ({ id, record: sample({ group: id }) })),
          );
        }
        await store.writeSamples("other", [{ id: "not mine", record: sample() }]);
        const scanned = await scanAll(store, "d");
        expect(scanned.map(({ id }) => id).sort()).toEqual([...ids].sort());
        expect(scanned.every(({ id, record }) => record.group === id)).toBe(true);
        expect(await scanAll(store, "unknown")).toEqual([]);
      });

      it("are counted exactly when several writers write the same and other ids at once", async () => {
        const other = await open();
        const batches = Array.from({ length: 20 }, (_, batch) =>
          Array.from({ length: 50 }, (_, index) => ({
            id: `${(batch * 25 + index) % 400}`,
            record: sample({ model: `m@${batch % 3}` }),
          })),
        );
        await Promise.all(
          batches.map((batch, index) => (index % 2 ? store : other).writeSamples("d", batch)),
        );
        await Promise.all([
          store.deleteSample("d", "1"),
          other.deleteSample("d", "1"),
          other.deleteSample("d", "2"),
        ]);
        const summary = await other.readDataset("d");
        expect(summary?.samples).toBe(398);
        const byModel = new Map<string, number>();
        for (const { record } of await scanAll(store, "d"))
          byModel.set(record.model, (byModel.get(record.model) ?? 0) + 1);
        expect([...byModel.keys()].sort()).toEqual(["m@0", "m@1", "m@2"]);
        expect(summary?.samplesByModel).toEqual(byModel);
        expect(await scanAll(store, "d")).toHaveLength(398);
      });
    });

    describe("datasets", () => {
      it("come into being with their first sample", async () => {
        expect(await store.readDataset("d")).toBeNull();
        await store.writeSamples("d", []);
        expect(await store.readDataset("d")).toBeNull();
        const before = Date.now();
        await store.writeSamples("d", [{ id: "a", record: sample({ model: "default@1" }) }]);
        const summary = await store.readDataset("d");
        expect(summary).toMatchObject({ dataset: "d", samples: 1, snapshot: null });
        expect([...(summary?.samplesByModel ?? [])]).toEqual([["default@1", 1]]);
        expect(summary?.createdAtMs).toBeGreaterThanOrEqual(before);
        await sleep(5);
        await store.writeSamples("d", [{ id: "b", record: sample({ model: "default@2" }) }]);
        const later = await store.readDataset("d");
        expect([...(later?.samplesByModel.keys() ?? [])]).toEqual(["default@1", "default@2"]);
        expect(later?.createdAtMs).toBe(summary?.createdAtMs);
        expect(later?.updatedAtMs).toBeGreaterThan(summary?.updatedAtMs ?? Number.POSITIVE_INFINITY);
      });

      it("name the models whose scores their samples have, and no others", async () => {
        const by = (model: string, ...ids: string[]) =>
          store.writeSamples(
            "d",
            ids.map((id) => ({ id, record: sample({ model }) })),
          );
        const models = async () => [...((await store.readDataset("d"))?.samplesByModel ?? [])];
        await by("default@1", "a", "b", "c");
        await by("default@2", "a", "d", "d");
        expect(await models()).toEqual([
          ["default@1", 2],
          ["default@2", 2],
        ]);
        await store.writeSamples("d", [
          { id: "b", record: sample({ model: "default@2", signals: new Map([["margin", 1]]) }) },
        ]);
        await store.writeSnapshot("d", { ids: ["a"], weights: Float64Array.of(1) }, {});
        await store.deleteSample("d", "c");
        expect(await models()).toEqual([["default@2", 3]]);
        expect((await store.listDatasets(null, 9)).items[0]?.samplesByModel).toEqual(new Map(await models()));
        await by("default@1", "a", "b", "d");
        expect(await models()).toEqual([["default@1", 3]]);
        for (const id of ["a", "b", "d"]) await store.deleteSample("d", id);
        expect(await models()).toEqual([]);
      });

      it("are listed in pages by name", async () => {
        expect(await store.listDatasets(null, 10)).toEqual({ items: [], cursor: null });
        const names = ["b", "a", "ab", "a-b", "日本", "z", "B"];
        for (const name of names) await store.writeSamples(name, [{ id: "x", record: sample() }]);
        const seen: string[] = [];
        let pages = 0;
        for (let cursor: string | null = null, first = true; first || cursor !== null; first = false) {
          const page = await store.listDatasets(cursor, 3);
          expect(page.items.length).toBeLessThanOrEqual(3);
          seen.push(...page.items.map(({ dataset }) => dataset));
          cursor = page.cursor;
          pages++;
        }
        expect(seen).toEqual(["B", "a", "a-b", "ab", "b", "z", "日本"]);
        expect(pages).toBe(3);
        expect((await store.listDatasets(null, 7)).cursor).toBeNull();
      });

      it("leave nothing behind for a successor of the same name", async () => {
        const old = sample({ model: "old@1", signals: new Map([["loss", 1]]) });
        await store.writeSamples("d", [
          { id: "a", record: old },
          { id: "b", record: old },
        ]);
        await store.writeSnapshot("d", { ids: ["a", "b"], weights: Float64Array.of(0.5, 0.5) }, {});
        const other = await open();
        expect(await other.readSamples("d", ["a"])).toEqual([{ record: old, weight: 0.5 }]);
        expect(await store.deleteDataset("d")).toBe(true);
        expect(await store.deleteDataset("d")).toBe(false);
        expect(await other.readDataset("d")).toBeNull();
        expect(await other.readSamples("d", ["a"])).toEqual([null]);
        expect((await other.listDatasets(null, 5)).items).toEqual([]);
        expect(await scanAll(other, "d")).toEqual([]);

        const young = sample({ model: "young@1", signals: new Map([["margin", 2]]) });
        await other.writeSamples("d", [{ id: "a", record: young }]);
        expect(await store.readSamples("d", ["a", "b"])).toEqual([{ record: young, weight: null }, null]);
        expect(await store.readDataset("d")).toMatchObject({
          samples: 1,
          samplesByModel: new Map([["young@1", 1]]),
          snapshot: null,
        });
        expect((await store.listDatasets(null, 5)).items.map(({ dataset }) => dataset)).toEqual(["d"]);
      });

      it("keep the outputs when they are deleted", async () => {
        const entry = { key: outputsKey(), record: outputs(1) };
        await store.writeOutputs([entry]);
        await store.writeSamples("d", [{ id: "a", record: { ...sample(), outputsKey: entry.key } }]);
        await store.deleteDataset("d");
        expect(await store.readOutputs([entry.key])).toEqual([entry.record]);
      });
    });

    describe("look-ups", () => {
      it("find what reading the samples finds, in the order of the ids, of one shape or of several", async () => {
        const odd = 'an id with "quotes", spaces, é and 😀';
        const records = [
          { id: "a", record: sample({ group: "usb c cable", label: [0.25, 0.75] }) },
          { id: odd, record: sample({ model: "other@1", signals: new Map([["entropy", 0.5]]) }) },
          { id: "é".repeat(128), record: sample({ label: 0.1, signals: new Map() }) },
          { id: "late", record: sample({ label: null, directions: ["v@0a1b2c3d", "1 × w@4e5f6a7b"] }) },
        ];
        await store.writeSamples("d", records.slice(0, 3));
        const ids = records.slice(0, 3).map(({ id }) => id);
        await store.writeSnapshot("d", { ids, weights: Float64Array.of(0.5, 0, 0.1) }, { by: "loss" });
        await store.writeSamples("d", records.slice(3));
        await expectSameAsReading(["late", "missing", odd, "é".repeat(128), "a", "a", "É"]);
        expect((await store.lookUp("d", ["a"]))?.snapshot).toMatchObject({
          version: 1,
          provenance: { by: "loss" },
        });
      });

      it("find thousands at once", async () => {
        const records = Array.from({ length: 2500 }, (_, index) => ({
          id: `s${index}`,
          record: sample({ signals: new Map([["loss", index]]) }),
        }));
        await store.writeSamples("d", records);
        await expectSameAsReading(Array.from({ length: 3500 }, (_, index) => `s${(index * 7) % 4000}`));
      });

      it("find nothing in a dataset that is unknown, and no row for no ids", async () => {
        expect(await store.lookUp("unknown", ["a"])).toBeNull();
        await store.writeSamples("d", [{ id: "a", record: sample() }]);
        expect((await store.lookUp("d", []))?.shapeOf).toHaveLength(0);
        expect((await store.lookUp("d", ["a"]))?.snapshot).toBeNull();
      });

      async function expectSameAsReading(ids: readonly string[]): Promise<void> {
        const read = await store.readSamples("d", ids);
        const found = (await store.lookUp("d", ids)) as LookedUp;
        const rows = ids.map((_, index) => {
          const shape = found.shapes[found.shapeOf[index] as number];
          if (shape === undefined) return null;
          const row = found.signals.subarray(index * found.signalsMax, (index + 1) * found.signalsMax);
          const weight = found.weights[index] as number;
          return {
            model: shape.model,
            loss: shape.loss,
            directions: shape.directions,
            signals: new Map(shape.signals.map((name, s) => [name, row[s]])),
            weight: Number.isNaN(weight) ? null : weight,
          };
        });
        expect(rows).toEqual(
          read.map((each) => {
            if (each === null) return null;
            const { model, loss, directions, signals } = each.record;
            return { model, loss, directions, signals, weight: each.weight };
          }),
        );
      }
    });

    describe("snapshots", () => {
      const ids = ["a", "b", "c"];

      beforeEach(async () => {
        await store.writeSamples(
          "d",
          ids.map((id) => ({ id, record: sample() })),
        );
      });

      async function weights(of: readonly string[] = ids): Promise<(number | null | undefined)[]> {
        return (await store.readSamples("d", of)).map((each) => each?.weight);
      }

      it("give each sample its weight; the latest one stands and says where it comes from", async () => {
        expect(await weights()).toEqual([null, null, null]);
        const provenance = { scheme: "proportional", nested: { alpha: 0.5, list: [1, null] } };
        const first = await store.writeSnapshot(
          "d",
          { ids, weights: Float64Array.of(0.1, 0.2, 0.7) },
          provenance,
        );
        expect(first).toMatchObject({ version: 1, samples: 3, provenance });
        const kept = [0.1, 0.2, 0.7].map(Math.fround);
        const scale = (0.7 + 0.2 + 0.1) / kept.reduce((sum, weight) => sum + weight, 0);
        const found = (await weights()) as number[];
        for (const [index, weight] of found.entries())
          expect(Math.abs(weight / ((kept[index] as number) * scale) - 1)).toBeLessThan(1e-15);
        for (let version = 2; version <= 40; version++) {
          const info = await store.writeSnapshot(
            "d",
            { ids, weights: Float64Array.of(version, 0, 1) },
            { version },
          );
          expect(info.version).toBe(version);
        }
        expect(await weights()).toEqual([40, 0, 1]);
        expect((await store.readDataset("d"))?.snapshot).toMatchObject({
          version: 40,
          provenance: { version: 40 },
        });
      });

      it("leave out ids that are gone, and samples that they do not name have no weight", async () => {
        await store.writeSnapshot("d", { ids, weights: Float64Array.of(1, 1, 1) }, {});
        await store.deleteSample("d", "b");
        const info = await store.writeSnapshot(
          "d",
          { ids: ["a", "b"], weights: Float64Array.of(0.5, 0.5) },
          {},
        );
        expect(info.samples).toBe(1);
        expect(await weights()).toEqual([0.5, undefined, null]);
      });

      it("keep a sample's weight when it is scored again, and lose it when the sample is deleted", async () => {
        await store.writeSnapshot("d", { ids, weights: Float64Array.of(0.25, 0.5, 0.25) }, {});
        await store.writeSamples("d", [{ id: "a", record: sample({ label: 0 }) }]);
        await store.deleteSample("d", "b");
        await store.writeSamples("d", [
          { id: "b", record: sample() },
          { id: "new", record: sample() },
        ]);
        expect(await weights(["a", "b", "c", "new"])).toEqual([0.25, null, 0.25, null]);
      });

      it("are refused for a dataset that is gone", async () => {
        const gone = { ids: ["a"], weights: Float64Array.of(1) };
        await expect(store.writeSnapshot("gone", gone, {})).rejects.toMatchObject({
          code: "dataset_not_found",
        });
      });

      it("are seen whole or not at all while they are written", async () => {
        const many = Array.from({ length: 3000 }, (_, index) => `s${index}`);
        for (let start = 0; start < many.length; start += 1000) {
          const batch = many.slice(start, start + 1000);
          await store.writeSamples(
            "big",
            batch.map((id) => ({ id, record: sample() })),
          );
        }
        const other = await open();
        const weigh = (value: number) =>
          store.writeSnapshot("big", { ids: many, weights: new Float64Array(3000).fill(value) }, { value });
        await weigh(1);
        let writing = true;
        const write = async (): Promise<void> => {
          for (const value of [2, 3, 4]) await weigh(value);
          writing = false;
        };
        const probe = ["s0", "s999", "s1000", "s1999", "s2999"];
        const read = async (): Promise<void> => {
          while (writing) {
            const seen = await other.readSamples("big", probe);
            expect(new Set(seen.map((each) => each?.weight)).size).toBe(1);
            expect(seen[0]?.weight).not.toBeNull();
            const { weights: all, snapshot } = (await other.lookUp("big", many)) as LookedUp;
            expect(new Set(all)).toEqual(new Set([snapshot?.provenance.value]));
            await sleep(1);
          }
        };
        await Promise.all([write(), read()]);
        expect((await other.readSamples("big", ["s1"]))[0]?.weight).toBe(4);
      });

      it("answer weights that sum to 1 as they were given: numpy draws by no others", async () => {
        const many = Array.from({ length: 100_000 }, (_, index) => `s${index}`);
        for (let start = 0; start < many.length; start += 2000) {
          const batch = many.slice(start, start + 2000);
          await store.writeSamples(
            "big",
            batch.map((id) => ({ id, record: sample() })),
          );
        }
        const raw = Float64Array.from(many, (_, index) => 1 / (1 + ((index * 7919) % 99_991)));
        const sum = raw.reduce((a, b) => a + b);
        const given = raw.map((weight) => weight / sum);
        await store.writeSnapshot("big", { ids: many, weights: given }, {});
        const { weights: found } = (await store.lookUp("big", many)) as LookedUp;
        expect(Math.abs(found.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-12);
        expect(
          found.reduce((most, _, index) => Math.max(most, relative(found, given, index)), 0),
        ).toBeLessThan(1e-7);
        const [one] = await store.readSamples("big", ["s77"]);
        expect(one?.weight).toBe(found[77]);
      });

      it("of twenty writers at once are each whole once it is acknowledged", async () => {
        const many = Array.from({ length: 3000 }, (_, index) => `s${index}`);
        await store.writeSamples(
          "big",
          many.map((id) => ({ id, record: sample() })),
        );
        async function write(by: number): Promise<void> {
          const weights = new Float64Array(many.length).fill(by);
          const { version } = await store.writeSnapshot("big", { ids: many, weights }, { by });
          const { weights: all, snapshot } = (await store.lookUp("big", many)) as LookedUp;
          expect(snapshot?.version).toBeGreaterThanOrEqual(version);
          expect(new Set(all)).toEqual(new Set([snapshot?.provenance.by]));
        }
        await Promise.all(Array.from({ length: 20 }, (_, index) => write(index + 1)));
        expect((await store.readDataset("big"))?.snapshot?.version).toBe(20);
      });

      it("of twenty processes at once are whole, or refused as overtaken", async () => {
        const many = Array.from({ length: 3000 }, (_, index) => `s${index}`);
        await store.writeSamples(
          "big",
          many.map((id) => ({ id, record: sample() })),
        );
        const stores = await Promise.all(Array.from({ length: 20 }, () => open()));
        const outcomes = await Promise.all(
          stores.map(async (each, index) => {
            const by = index + 1;
            const weights = new Float64Array(many.length).fill(by);
            try {
              await each.writeSnapshot("big", { ids: many, weights }, { by });
            } catch (error) {
              return (error as { code: string }).code;
            }
            const { weights: all, snapshot } = (await each.lookUp("big", many)) as LookedUp;
            expect(new Set(all)).toEqual(new Set([snapshot?.provenance.by]));
            return "whole";
          }),
        );
        expect(outcomes).toContain("whole");
        expect(new Set([...outcomes, "overloaded", "whole"])).toEqual(new Set(["overloaded", "whole"]));
      });

      it("of two writers at once are both whole; the later version stands", async () => {
        const other = await open();
        const infos = await Promise.all([
          store.writeSnapshot("d", { ids, weights: Float64Array.of(1, 1, 1) }, { by: "first" }),
          other.writeSnapshot("d", { ids, weights: Float64Array.of(2, 2, 2) }, { by: "second" }),
        ]);
        const later = infos[0].version > infos[1].version ? 0 : 1;
        expect(infos.map(({ version }) => version).sort()).toEqual([1, 2]);
        expect(await weights()).toEqual(later === 0 ? [1, 1, 1] : [2, 2, 2]);
        expect((await store.readDataset("d"))?.snapshot?.version).toBe(2);
      });
    });

    describe("directions", () => describeDirections(() => store, open));

    describe("the end", () => {
      it("refuses work after it is closed, and closing twice is no fault", async () => {
        await store.close();
        await store.close();
        await expect(store.readSamples("d", ["a"])).rejects.toMatchObject({ code: "store_unavailable" });
        await expect(store.status()).rejects.toMatchObject({ code: "store_unavailable" });
      });

      it("says while it is open what an acknowledged write is worth", async () => {
        const { durability } = await store.status();
        expect(durability.length).toBeGreaterThan(20);
      });
    });
  });
}

/** A sample record whose numbers float32 holds. */
export function sample(fields: Partial<SampleRecord> = {}): SampleRecord {
  return {
    outputsKey: outputsKey(),
    model: "default@0123456789ab",
    loss: "bce",
    directions: [],
    label: 1,
    group: null,
    signals: new Map([
      ["loss", 0.125],
      ["grad_norm_last", 2.5],
    ]),
    scoredAtMs: 1_790_000_000_123,
    ...fields,
  };
}

function outputs(logit: number) {
  return { logits: Float32Array.of(logit), featureNormSquared: 4, truncated: false, ...NO_PARTS };
}

function outputsKey(): Buffer {
  return randomBytes(16);
}

function relative(found: Float64Array, given: Float64Array, index: number): number {
  return Math.abs((found[index] as number) / (given[index] as number) - 1);
}

async function scanAll(store: Store, dataset: string): Promise<{ id: string; record: SampleRecord }[]> {
  const seen: { id: string; record: SampleRecord }[] = [];
  for await (const chunk of store.scanSamples(dataset)) seen.push(...chunk);
  return seen;
}
