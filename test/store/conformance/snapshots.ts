import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, it } from "vitest";
import type { LookedUp, Store } from "../../../src/store/port.js";
import { type OpenStore, sample } from "./records.js";

/** What every store promises of snapshots; `store` is an empty one, `open` opens its place again. */
export function describeSnapshots(store: () => Store, open: OpenStore): void {
  const ids = ["a", "b", "c"];

  beforeEach(async () => {
    await store().writeSamples(
      "d",
      ids.map((id) => ({ id, record: sample() })),
    );
  });

  async function weights(of: readonly string[] = ids): Promise<(number | null | undefined)[]> {
    return (await store().readSamples("d", of)).map((each) => each?.weight);
  }

  it("give each sample its weight; the latest one stands and says where it comes from", async () => {
    expect(await weights()).toEqual([null, null, null]);
    const provenance = { scheme: "proportional", nested: { alpha: 0.5, list: [1, null] } };
    const first = await store().writeSnapshot(
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
      const info = await store().writeSnapshot(
        "d",
        { ids, weights: Float64Array.of(version, 0, 1) },
        { version },
      );
      expect(info.version).toBe(version);
    }
    expect(await weights()).toEqual([40, 0, 1]);
    expect((await store().readDataset("d"))?.snapshot).toMatchObject({
      version: 40,
      provenance: { version: 40 },
    });
  });

  it("leave out ids that are gone, and samples that they do not name have no weight", async () => {
    await store().writeSnapshot("d", { ids, weights: Float64Array.of(1, 1, 1) }, {});
    await store().deleteSample("d", "b");
    const info = await store().writeSnapshot(
      "d",
      { ids: ["a", "b"], weights: Float64Array.of(0.5, 0.5) },
      {},
    );
    expect(info.samples).toBe(1);
    expect(await weights()).toEqual([0.5, undefined, null]);
  });

  it("keep a sample's weight when it is scored again, and lose it when the sample is deleted", async () => {
    await store().writeSnapshot("d", { ids, weights: Float64Array.of(0.25, 0.5, 0.25) }, {});
    await store().writeSamples("d", [{ id: "a", record: sample({ label: 0 }) }]);
    await store().deleteSample("d", "b");
    await store().writeSamples("d", [
      { id: "b", record: sample() },
      { id: "new", record: sample() },
    ]);
    expect(await weights(["a", "b", "c", "new"])).toEqual([0.25, null, 0.25, null]);
  });

  it("are refused for a dataset that is gone", async () => {
    const gone = { ids: ["a"], weights: Float64Array.of(1) };
    await expect(store().writeSnapshot("gone", gone, {})).rejects.toMatchObject({
      code: "dataset_not_found",
    });
  });

  it("are seen whole or not at all while they are written", async () => {
    const many = Array.from({ length: 3000 }, (_, index) => `s${index}`);
    for (let start = 0; start < many.length; start += 1000) {
      const batch = many.slice(start, start + 1000);
      await store().writeSamples(
        "big",
        batch.map((id) => ({ id, record: sample() })),
      );
    }
    const other = await open();
    const weigh = (value: number) =>
      store().writeSnapshot("big", { ids: many, weights: new Float64Array(3000).fill(value) }, { value });
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
      await store().writeSamples(
        "big",
        batch.map((id) => ({ id, record: sample() })),
      );
    }
    const raw = Float64Array.from(many, (_, index) => 1 / (1 + ((index * 7919) % 99_991)));
    const sum = raw.reduce((a, b) => a + b);
    const given = raw.map((weight) => weight / sum);
    await store().writeSnapshot("big", { ids: many, weights: given }, {});
    const { weights: found } = (await store().lookUp("big", many)) as LookedUp;
    expect(Math.abs(found.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-12);
    expect(found.reduce((most, _, index) => Math.max(most, relative(found, given, index)), 0)).toBeLessThan(
      1e-7,
    );
    const [one] = await store().readSamples("big", ["s77"]);
    expect(one?.weight).toBe(found[77]);
  });

  it("of twenty writers at once are each whole once it is acknowledged", async () => {
    const many = Array.from({ length: 3000 }, (_, index) => `s${index}`);
    await store().writeSamples(
      "big",
      many.map((id) => ({ id, record: sample() })),
    );
    async function write(by: number): Promise<void> {
      const weights = new Float64Array(many.length).fill(by);
      const { version } = await store().writeSnapshot("big", { ids: many, weights }, { by });
      const { weights: all, snapshot } = (await store().lookUp("big", many)) as LookedUp;
      expect(snapshot?.version).toBeGreaterThanOrEqual(version);
      expect(new Set(all)).toEqual(new Set([snapshot?.provenance.by]));
    }
    await Promise.all(Array.from({ length: 20 }, (_, index) => write(index + 1)));
    expect((await store().readDataset("big"))?.snapshot?.version).toBe(20);
  });

  it("of twenty processes at once are whole, or refused as overtaken", async () => {
    const many = Array.from({ length: 3000 }, (_, index) => `s${index}`);
    await store().writeSamples(
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
      store().writeSnapshot("d", { ids, weights: Float64Array.of(1, 1, 1) }, { by: "first" }),
      other.writeSnapshot("d", { ids, weights: Float64Array.of(2, 2, 2) }, { by: "second" }),
    ]);
    const later = infos[0].version > infos[1].version ? 0 : 1;
    expect(infos.map(({ version }) => version).sort()).toEqual([1, 2]);
    expect(await weights()).toEqual(later === 0 ? [1, 1, 1] : [2, 2, 2]);
    expect((await store().readDataset("d"))?.snapshot?.version).toBe(2);
  });
}

function relative(found: Float64Array, given: Float64Array, index: number): number {
  return Math.abs((found[index] as number) / (given[index] as number) - 1);
}
