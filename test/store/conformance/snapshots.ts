import { setTimeout as sleep } from "node:timers/promises";
import { beforeEach, expect, it } from "vitest";
import type { LookedUp } from "../../../src/store/dataset-records.js";
import type { Store } from "../../../src/store/port.js";
import { type OpenStore, sample, weighIds, weightsOf } from "./records.js";

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
    const first = await weighIds(store(), "d", { ids, weights: Float64Array.of(0.1, 0.2, 0.7) }, provenance);
    expect(first).toMatchObject({ version: 1, samples: 3, provenance });
    const kept = [0.1, 0.2, 0.7].map(Math.fround);
    const scale = (0.7 + 0.2 + 0.1) / kept.reduce((sum, weight) => sum + weight, 0);
    const found = (await weights()) as number[];
    for (const [index, weight] of found.entries())
      expect(Math.abs(weight / ((kept[index] as number) * scale) - 1)).toBeLessThan(1e-15);
    for (let version = 2; version <= 40; version++) {
      const info = await weighIds(
        store(),
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
    await weighIds(store(), "d", { ids, weights: Float64Array.of(1, 1, 1) }, {});
    await store().deleteSample("d", "b");
    const info = await weighIds(store(), "d", { ids: ["a", "b"], weights: Float64Array.of(0.5, 0.5) }, {});
    expect(info.samples).toBe(1);
    expect(await weights()).toEqual([0.5, undefined, null]);
  });

  it("keep a sample's weight when it is scored again, and lose it when the sample is deleted", async () => {
    await weighIds(store(), "d", { ids, weights: Float64Array.of(0.25, 0.5, 0.25) }, {});
    await store().writeSamples("d", [{ id: "a", record: sample({ label: 0 }) }]);
    await store().deleteSample("d", "b");
    await store().writeSamples("d", [
      { id: "b", record: sample() },
      { id: "new", record: sample() },
    ]);
    expect(await weights(["a", "b", "c", "new"])).toEqual([0.25, null, 0.25, null]);
  });

  it("are refused for a dataset that is gone, also if another life of it has begun", async () => {
    const old = await weightsOf(store(), "d", { a: 1 });
    await store().deleteDataset("d");
    const gone = expect.objectContaining({ code: "dataset_not_found" });
    await expect(store().writeSnapshot("d", old, {})).rejects.toEqual(gone);
    await store().writeSamples("d", [{ id: "a", record: sample() }]);
    await expect(store().writeSnapshot("d", old, {})).rejects.toEqual(gone);
    expect(await weights(["a"])).toEqual([null]);
  });

  it("stay readable by version: the newest four", async () => {
    for (const version of [1, 2, 3, 4, 5, 6])
      await weighIds(store(), "d", { ids, weights: Float64Array.of(version, 0, 1) }, { version });
    expect((await store().listSnapshots("d"))?.map(({ version }) => version)).toEqual([6, 5, 4, 3]);
    expect(await store().listSnapshots("unknown")).toBeNull();
    for (const version of [3, 4, 5, 6]) {
      const found = await store().lookUp("d", ids, version);
      expect([...(found?.weights ?? [])]).toEqual([version, 0, 1]);
      expect(found?.snapshot?.provenance).toEqual({ version });
    }
    await expect(store().lookUp("d", ids, 2)).rejects.toMatchObject({
      code: "snapshot_not_found",
      message: expect.stringContaining("3, 4, 5, 6"),
    });
  });

  it("give their weights to a scan that names them, and to no other", async () => {
    for (const version of [1, 2, 3, 4, 5])
      await weighIds(store(), "d", { ids, weights: Float64Array.of(version, 0, 1) }, {});
    await store().deleteSample("d", "b");
    await store().writeSamples("d", [{ id: "later", record: sample() }]);
    async function scanned(snapshot?: number): Promise<Record<string, number>> {
      const found: Record<string, number> = {};
      for await (const chunk of store().scanSamples("d", snapshot))
        for (let index = 0; index < chunk.count; index++)
          found[chunk.id(index)] = chunk.weights[index] as number;
      return found;
    }
    expect(await scanned(2)).toEqual({ a: 2, c: 1, later: Number.NaN });
    expect(await scanned(5)).toEqual({ a: 5, c: 1, later: Number.NaN });
    expect(await scanned()).toEqual({ a: Number.NaN, c: Number.NaN, later: Number.NaN });
    await expect(scanned(1)).rejects.toMatchObject({ code: "snapshot_not_found" });
    for await (const _ of store().scanSamples("unknown", 1))
      throw new Error("an unknown dataset has samples");
  });

  it("fail a scan during which newer ones displace its snapshot, and never give it the weights of another", async () => {
    const many = Array.from({ length: 9000 }, (_, index) => `s${index}`);
    for (let start = 0; start < many.length; start += 3000)
      await store().writeSamples(
        "big",
        many.slice(start, start + 3000).map((id) => ({ id, record: sample() })),
      );
    const weigh = (value: number) =>
      weighIds(store(), "big", { ids: many, weights: new Float64Array(9000).fill(value) }, {});
    await weigh(1);
    // The other store has none of the weights in memory.
    const scan = (await open()).scanSamples("big", 1)[Symbol.asyncIterator]();
    const first = await scan.next();
    for (const value of [2, 3, 4, 5]) await weigh(value);
    const seen = new Set<number>(first.value.weights);
    const rest = async (): Promise<void> => {
      for (let step = await scan.next(); !step.done; step = await scan.next())
        for (const weight of step.value.weights) seen.add(weight);
    };
    await rest().catch((error: unknown) => expect(error).toMatchObject({ code: "snapshot_not_found" }));
    expect(seen).toEqual(new Set([1]));
  });

  it("never change: a deletion lowers their sum, and an id that comes again has no weight in them", async () => {
    for (const by of [1, 2])
      await weighIds(store(), "d", { ids, weights: Float64Array.of(0.25, 0.5, 0.25) }, { by });
    await store().deleteSample("d", "b");
    await store().writeSamples("d", [{ id: "b", record: sample() }]);
    for (const version of [1, 2])
      expect([...((await store().lookUp("d", ids, version))?.weights ?? [])]).toEqual([
        0.25,
        Number.NaN,
        0.25,
      ]);
    expect((await store().listSnapshots("d"))?.map(({ weightSum }) => weightSum)).toEqual([0.5, 0.5]);
    expect((await store().readDataset("d"))?.snapshot).toMatchObject({ samples: 3, weightSum: 0.5 });
  });

  it("leave out a sample that was deleted after its weight was computed, and one that took its id", async () => {
    const old = await weightsOf(store(), "d", { a: 0.25, b: 0.5, c: 0.25 });
    await store().deleteSample("d", "b");
    await store().writeSamples("d", [{ id: "b", record: sample() }]);
    expect(await store().writeSnapshot("d", old, {})).toMatchObject({ samples: 2, weightSum: 0.5 });
    expect(await weights()).toEqual([0.25, null, 0.25]);
  });

  it("are made while another process deletes, without what it deletes", async () => {
    const many = Array.from({ length: 300 }, (_, index) => `many ${index}`);
    await store().writeSamples(
      "d",
      many.map((id) => ({ id, record: sample() })),
    );
    const given = await weightsOf(store(), "d", Object.fromEntries(many.map((id) => [id, 1])));
    const other = await open();
    let isDone = false;
    const deleting = (async () => {
      let deleted = 0;
      for (; deleted < many.length && !isDone; deleted++)
        await other.deleteSample("d", many[deleted] as string);
      return deleted;
    })();
    await store().writeSnapshot("d", given, {});
    isDone = true;
    const deleted = await deleting;
    const [snapshot] = (await store().listSnapshots("d")) ?? [];
    expect(snapshot?.weightSum).toBe(many.length - deleted);
  });

  it("are made once for the same request, and another request under its key is refused", async () => {
    const request = (body: string) => ({
      key: "0a".repeat(16),
      body,
      answer: { advice: ['quoted "0"'], k: null },
    });
    const weigh = async (place: Store, body?: string) =>
      place.writeSnapshot(
        "d",
        await weightsOf(place, "d", { a: 0.5, b: 0.25, c: 0.25 }),
        { by: body },
        body === undefined ? undefined : request(body),
      );
    expect(await store().readDoneRequest("d", request("1"))).toBeNull();
    const first = await weigh(store(), "1");
    expect(first.version).toBe(1);
    for (let version = 2; version < 8; version++) await weigh(store());
    const other = await open();
    expect(await weigh(other, "1")).toEqual(first);
    const { answer } = request("1");
    expect(await other.readDoneRequest("d", request("1"))).toEqual({ body: "1", answer, snapshot: first });
    expect((await store().readDataset("d"))?.snapshot?.version).toBe(7);
    const conflict = expect.objectContaining({ code: "idempotency_conflict" });
    await expect(weigh(store(), "2")).rejects.toEqual(conflict);
    await expect(store().readDoneRequest("d", request("2"))).rejects.toEqual(conflict);
    await store().deleteDataset("d");
    await store().writeSamples("d", [{ id: "a", record: sample() }]);
    expect(await store().readDoneRequest("d", request("1"))).toBeNull();
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
      weighIds(store(), "big", { ids: many, weights: new Float64Array(3000).fill(value) }, { value });
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
    await weighIds(store(), "big", { ids: many, weights: given }, {});
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
      const { version } = await weighIds(store(), "big", { ids: many, weights }, { by });
      const { weights: all, snapshot } = (await store().lookUp("big", many)) as LookedUp;
      expect(snapshot?.version).toBeGreaterThanOrEqual(version);
      expect(new Set(all)).toEqual(new Set([snapshot?.provenance.by]));
    }
    await Promise.all(Array.from({ length: 20 }, (_, index) => write(index + 1)));
    expect((await store().readDataset("big"))?.snapshot?.version).toBe(20);
  });

  it("of twenty processes at once are all whole", async () => {
    const many = Array.from({ length: 3000 }, (_, index) => `s${index}`);
    await store().writeSamples(
      "big",
      many.map((id) => ({ id, record: sample() })),
    );
    const stores = await Promise.all(Array.from({ length: 20 }, () => open()));
    await Promise.all(
      stores.map(async (each, index) => {
        const by = index + 1;
        const weights = new Float64Array(many.length).fill(by);
        await weighIds(each, "big", { ids: many, weights }, { by });
        const { weights: all, snapshot } = (await each.lookUp("big", many)) as LookedUp;
        expect(new Set(all)).toEqual(new Set([snapshot?.provenance.by]));
      }),
    );
    expect((await store().readDataset("big"))?.snapshot?.version).toBe(20);
  });

  it("of two writers at once are both whole; the later version stands", async () => {
    const other = await open();
    const infos = await Promise.all([
      weighIds(store(), "d", { ids, weights: Float64Array.of(1, 1, 1) }, { by: "first" }),
      weighIds(other, "d", { ids, weights: Float64Array.of(2, 2, 2) }, { by: "second" }),
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
