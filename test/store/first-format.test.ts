import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import type { SampleRecord } from "../../src/store/dataset-records.js";
import { openEnvironment } from "../../src/store/embedded/environment.js";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import type { Store } from "../../src/store/port.js";
import { openRedisStore } from "../../src/store/redis/store.js";
import type { UpgradableStore } from "../../src/store/upgrade.js";
import { temporaryFolder } from "../support/app.js";
import { hasRedisServer, startRedis } from "../support/redis.js";
import { groupDigest, outputs, sample, scanAll, weighIds, weightsOf } from "./conformance/records.js";

const FIXTURE = new URL("../fixtures/store-1a1e855/", import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(name, FIXTURE), "utf8"));

/** What 1a1e855 itself answered of what it had written. */
interface Expected {
  readonly summary: { readonly samples: number; readonly snapshot: object };
  readonly samples: Readonly<
    Record<string, { readonly record: Omit<SampleRecord, "signals">; readonly weight: number | null } | null>
  >;
}
const expected: Expected = read("expected.json");
const ids = Object.keys(expected.samples);

/** A place with what 1a1e855 wrote, which can be opened several times, one after another. */
type OpenFirst = (options?: { upgrading?: boolean }) => Promise<Store & UpgradableStore>;

function embedded(): OpenFirst {
  const directory = temporaryFolder();
  execFileSync("tar", ["-xzf", fileURLToPath(new URL("lmdb.tar.gz", FIXTURE)), "-C", directory]);
  return async (options = {}) => closedLater(await openEmbeddedStore({ directory, ...options }));
}

async function redis(): Promise<OpenFirst> {
  const server = await startRedis();
  onTestFinished(() => server.remove());
  const admin = new Redis(server.port, "127.0.0.1");
  for (const [key, dump] of Object.entries<string>(read("redis.json")))
    await admin.restore(key, 0, Buffer.from(dump, "base64"));
  admin.disconnect();
  const url = `redis://127.0.0.1:${server.port}?prefix=old`;
  return async (options = {}) => {
    const store = closedLater(openRedisStore({ url, ...options }));
    await store.tried();
    return store;
  };
}

function closedLater<S extends Store>(store: S): S {
  onTestFinished(() => store.close());
  return store;
}

const upgradeOptions = { digestGroup: groupDigest, onProgress: () => undefined };

/** What the store answers of the fixture's ids, with the fields that 1a1e855 knew. */
async function plainSamples(store: Store): Promise<object> {
  const found = await store.readSamples("d", ids);
  const plain = found.map((each) => {
    if (each === null) return null;
    const { outputsKey, model, loss, directions, label, group, signals, scoredAtMs } = each.record;
    const key = outputsKey?.toString("hex");
    const record = { outputsKey: key, model, loss, directions, label, group, scoredAtMs };
    return { ...each, record: { ...record, signals: Object.fromEntries(signals) } };
  });
  return Object.fromEntries(ids.map((id, index) => [id, plain[index]]));
}

/** The same as 1a1e855 answered it, but for the groups, of which digests take the place. */
function upgradedSamples(): object {
  const entries = Object.entries(expected.samples).map(([id, each]) => {
    if (each === null || each.record.group === null) return [id, each];
    return [id, { ...each, record: { ...each.record, group: groupDigest(each.record.group) } }];
  });
  return Object.fromEntries(entries);
}

describe.each([
  { name: "an embedded store", place: embedded, skip: false },
  { name: "a Redis (skipped without redis-server)", place: redis, skip: !hasRedisServer() },
])("$name that 1a1e855 wrote", ({ place, skip }) => {
  const models = async (store: Store) => [...((await store.readDataset("d"))?.samplesByModel ?? [])];
  const known = ids.filter((id) => expected.samples[id] !== null);
  const weightsRead = ids.map((id) => expected.samples[id]?.weight ?? Number.NaN);

  it.skipIf(skip)("is read as 1a1e855 read it: samples, signals and float32 weights", async () => {
    const store = await (await place())();
    expect(await plainSamples(store)).toEqual(expected.samples);
    const { snapshot, weights } = (await store.lookUp("d", ids)) ?? {};
    expect(snapshot).toMatchObject(expected.summary.snapshot);
    expect([...(weights ?? [])]).toEqual(weightsRead);
    expect((await store.readDirection("v"))?.bytes).toBe(12);
    expect(await models(store)).toEqual([
      ["default@first", 1],
      ["default@second", 30],
    ]);
    expect((await scanAll(store, "d")).map(({ id }) => id).sort()).toEqual([...known].sort());
  });

  it.skipIf(skip)("is only read until it is upgraded, except for models' outputs", async () => {
    const store = await (await place())();
    const outdated = expect.objectContaining({
      code: "store_outdated",
      message: expect.stringContaining("assay upgrade"),
    });
    const weights = await weightsOf(store, "d", {});
    await expect(store.writeSamples("d", [{ id: "s0", record: sample() }])).rejects.toEqual(outdated);
    await expect(store.writeSamples("new", [{ id: "s0", record: sample() }])).rejects.toEqual(outdated);
    await expect(store.deleteSample("d", "s0")).rejects.toEqual(outdated);
    await expect(store.deleteDataset("d")).rejects.toEqual(outdated);
    await expect(store.writeSnapshot("d", weights, {})).rejects.toEqual(outdated);
    await store.writeOutputs([{ key: Buffer.alloc(16, 7), record: outputs(1) }]);
    expect(await plainSamples(store)).toEqual(expected.samples);
    expect((await store.status()).durability).toContain("run `assay upgrade`");
  });

  it.skipIf(skip)("is upgraded with its weights, and only once", async () => {
    const open = await place();
    const upgrading = await open({ upgrading: true });
    expect(await upgrading.upgrade(upgradeOptions)).toEqual({ datasets: 1, samples: known.length });
    expect(await upgrading.upgrade(upgradeOptions)).toEqual({ datasets: 0, samples: 0 });
    await upgrading.close();
    const store = await open();
    expect(await plainSamples(store)).toEqual(upgradedSamples());
    expect((await store.status()).durability).not.toContain("upgrade");
    const { snapshot, weights } = (await store.lookUp("d", ids)) ?? {};
    expect(snapshot).toMatchObject(expected.summary.snapshot);
    expect([...(weights ?? [])]).toEqual(weightsRead);
    const sum = weightsRead.reduce((total, weight) => total + (Number.isNaN(weight) ? 0 : weight), 0);
    expect(snapshot?.weightSum).toBeCloseTo(sum, 12);

    const third = { record: sample({ model: "default@third" }) };
    await store.writeSamples("d", [
      { id: "s0", ...third },
      { id: "s1", ...third },
    ]);
    await store.deleteSample("d", "s2");
    expect(await models(store)).toEqual([
      ["default@second", 28],
      ["default@third", 2],
    ]);
    expect((await store.readDataset("d"))?.samples).toBe(30);
    expect((await store.lookUp("d", ["s0"]))?.weights[0]).toBe(expected.samples.s0?.weight);

    const left = known.filter((id) => id !== "s2");
    const raw = Float64Array.from(left, (_, index) => 1 / (index + 3));
    const total = raw.reduce((a, b) => a + b);
    const given = { ids: left, weights: raw.map((each) => each / total) };
    expect(await weighIds(store, "d", given, {})).toMatchObject({ version: 3, samples: left.length });
    const again = (await store.lookUp("d", left)) ?? { weights: new Float64Array() };
    expect(Math.abs(again.weights.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-14);
  });

  it.skipIf(skip)("is refused after an interrupted upgrade, which goes on where it stopped", async () => {
    const open = await place();
    const upgrading = await open({ upgrading: true });
    const interrupted = new Error("the machine stopped");
    const onProgress = (): void => {
      throw interrupted;
    };
    await expect(upgrading.upgrade({ ...upgradeOptions, onProgress })).rejects.toThrow();
    await upgrading.close();
    await expect(open()).rejects.toMatchObject({
      code: "store_outdated",
      message: expect.stringContaining("has not ended"),
    });
    const again = await open({ upgrading: true });
    expect((await again.upgrade(upgradeOptions)).datasets).toBe(1);
    await again.close();
    const store = await open();
    expect(await plainSamples(store)).toEqual(upgradedSamples());
    expect([...((await store.lookUp("d", ids))?.weights ?? [])]).toEqual(weightsRead);
  });
});

describe.each([
  { name: "an embedded store", skip: false },
  { name: "a Redis (skipped without redis-server)", skip: !hasRedisServer() },
])("$name of a later version", ({ name, skip }) => {
  it.skipIf(skip)("is refused at the start", async () => {
    const newer = expect.objectContaining({
      code: "store_newer",
      message: expect.stringContaining("format 9"),
    });
    if (name === "an embedded store") {
      const directory = temporaryFolder();
      await (await openEmbeddedStore({ directory })).close();
      const environment = await openEnvironment(directory, { timeoutMs: 5000, upgrading: false });
      await environment.setFormat("9");
      await environment.close();
      await expect(openEmbeddedStore({ directory })).rejects.toEqual(newer);
      return;
    }
    const server = await startRedis();
    onTestFinished(() => server.remove());
    const admin = new Redis(server.port, "127.0.0.1");
    await admin.set("assay:format", "9");
    admin.disconnect();
    const store = closedLater(openRedisStore({ url: `redis://127.0.0.1:${server.port}` }));
    await expect(store.tried()).rejects.toEqual(newer);
    await expect(store.readDataset("d")).rejects.toEqual(newer);
  });
});

it("is not made by an upgrade of a folder that has no store, as a typing error in its name would be", async () => {
  const directory = join(temporaryFolder(), "dta");
  await expect(openEmbeddedStore({ directory, upgrading: true })).rejects.toMatchObject({
    code: "store_unavailable",
    detail: expect.stringContaining(`There is no store in ${directory}`),
  });
  expect(existsSync(directory)).toBe(false);
});
