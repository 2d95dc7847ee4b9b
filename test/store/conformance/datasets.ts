import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import type { Store } from "../../../src/store/port.js";
import { type OpenStore, outputs, outputsKey, sample, scanAll, weighIds } from "./records.js";

/** What every store promises of datasets as wholes; `store` is an empty one, `open` opens its place again. */
export function describeDatasets(store: () => Store, open: OpenStore): void {
  it("come into being with their first sample", async () => {
    expect(await store().readDataset("d")).toBeNull();
    await store().writeSamples("d", []);
    expect(await store().readDataset("d")).toBeNull();
    const before = Date.now();
    await store().writeSamples("d", [{ id: "a", record: sample({ model: "default@1" }) }]);
    const summary = await store().readDataset("d");
    expect(summary).toMatchObject({ dataset: "d", samples: 1, snapshot: null });
    expect([...(summary?.samplesByModel ?? [])]).toEqual([["default@1", 1]]);
    expect(summary?.createdAtMs).toBeGreaterThanOrEqual(before);
    await sleep(5);
    await store().writeSamples("d", [{ id: "b", record: sample({ model: "default@2" }) }]);
    const later = await store().readDataset("d");
    expect([...(later?.samplesByModel.keys() ?? [])]).toEqual(["default@1", "default@2"]);
    expect(later?.createdAtMs).toBe(summary?.createdAtMs);
    expect(later?.updatedAtMs).toBeGreaterThan(summary?.updatedAtMs ?? Number.POSITIVE_INFINITY);
  });

  it("name the models whose scores their samples have, and no others", async () => {
    const by = (model: string, ...ids: string[]) =>
      store().writeSamples(
        "d",
        ids.map((id) => ({ id, record: sample({ model }) })),
      );
    const models = async () => [...((await store().readDataset("d"))?.samplesByModel ?? [])];
    await by("default@1", "a", "b", "c");
    await by("default@2", "a", "d", "d");
    expect(await models()).toEqual([
      ["default@1", 2],
      ["default@2", 2],
    ]);
    await store().writeSamples("d", [
      { id: "b", record: sample({ model: "default@2", signals: new Map([["margin", 1]]) }) },
    ]);
    await weighIds(store(), "d", { ids: ["a"], weights: Float64Array.of(1) }, {});
    await store().deleteSample("d", "c");
    expect(await models()).toEqual([["default@2", 3]]);
    expect((await store().listDatasets(null, 9)).items[0]?.samplesByModel).toEqual(new Map(await models()));
    await by("default@1", "a", "b", "d");
    expect(await models()).toEqual([["default@1", 3]]);
    for (const id of ["a", "b", "d"]) await store().deleteSample("d", id);
    expect(await models()).toEqual([]);
  });

  it("are listed in pages by name", async () => {
    expect(await store().listDatasets(null, 10)).toEqual({ items: [], cursor: null });
    const names = ["b", "a", "ab", "a-b", "日本", "z", "B"];
    for (const name of names) await store().writeSamples(name, [{ id: "x", record: sample() }]);
    const seen: string[] = [];
    let pages = 0;
    for (let cursor: string | null = null, first = true; first || cursor !== null; first = false) {
      const page = await store().listDatasets(cursor, 3);
      expect(page.items.length).toBeLessThanOrEqual(3);
      seen.push(...page.items.map(({ dataset }) => dataset));
      cursor = page.cursor;
      pages++;
    }
    expect(seen).toEqual(["B", "a", "a-b", "ab", "b", "z", "日本"]);
    expect(pages).toBe(3);
    expect((await store().listDatasets(null, 7)).cursor).toBeNull();
  });

  it("leave nothing behind for a successor of the same name", async () => {
    const old = sample({ model: "old@1", signals: new Map([["loss", 1]]) });
    await store().writeSamples("d", [
      { id: "a", record: old },
      { id: "b", record: old },
    ]);
    await weighIds(store(), "d", { ids: ["a", "b"], weights: Float64Array.of(0.5, 0.5) }, {});
    const other = await open();
    expect(await other.readSamples("d", ["a"])).toEqual([{ record: old, weight: 0.5 }]);
    expect(await store().deleteDataset("d")).toBe(true);
    expect(await store().deleteDataset("d")).toBe(false);
    expect(await other.readDataset("d")).toBeNull();
    expect(await other.readSamples("d", ["a"])).toEqual([null]);
    expect((await other.listDatasets(null, 5)).items).toEqual([]);
    expect(await scanAll(other, "d")).toEqual([]);

    const young = sample({ model: "young@1", signals: new Map([["margin", 2]]) });
    await other.writeSamples("d", [{ id: "a", record: young }]);
    expect(await store().readSamples("d", ["a", "b"])).toEqual([{ record: young, weight: null }, null]);
    expect(await store().readDataset("d")).toMatchObject({
      samples: 1,
      samplesByModel: new Map([["young@1", 1]]),
      snapshot: null,
    });
    expect((await store().listDatasets(null, 5)).items.map(({ dataset }) => dataset)).toEqual(["d"]);
  });

  it("keep the outputs when they are deleted", async () => {
    const entry = { key: outputsKey(), record: outputs(1) };
    await store().writeOutputs([entry]);
    await store().writeSamples("d", [{ id: "a", record: { ...sample(), outputsKey: entry.key } }]);
    await store().deleteDataset("d");
    expect(await store().readOutputs([entry.key])).toEqual([entry.record]);
  });
}
