import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import type { SampleRecord, Store } from "../../src/store/port.js";
import { openRedisStore } from "../../src/store/redis/store.js";
import { temporaryFolder } from "../support/app.js";
import { hasRedisServer, startRedis } from "../support/redis.js";
import { sample } from "./conformance/records.js";

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

async function embedded(): Promise<Store> {
  const directory = temporaryFolder();
  execFileSync("tar", ["-xzf", fileURLToPath(new URL("lmdb.tar.gz", FIXTURE)), "-C", directory]);
  const store = await openEmbeddedStore({ directory });
  onTestFinished(() => store.close());
  return store;
}

async function redis(): Promise<Store> {
  const server = await startRedis();
  onTestFinished(() => server.remove());
  const admin = new Redis(server.port, "127.0.0.1");
  for (const [key, dump] of Object.entries<string>(read("redis.json")))
    await admin.restore(key, 0, Buffer.from(dump, "base64"));
  admin.disconnect();
  const store = openRedisStore({ url: `redis://127.0.0.1:${server.port}?prefix=old` });
  onTestFinished(() => store.close());
  return store;
}

describe.each([
  { name: "an embedded store", open: embedded, skip: false },
  { name: "a Redis (skipped without redis-server)", open: redis, skip: !hasRedisServer() },
])("$name that 1a1e855 wrote", ({ open, skip }) => {
  it.skipIf(skip)("is read as 1a1e855 read it: samples, signals and float32 weights", async () => {
    const store = await open();
    const found = await store.readSamples("d", ids);
    const plain = found.map(
      (each) =>
        each && {
          ...each,
          record: {
            ...each.record,
            outputsKey: each.record.outputsKey.toString("hex"),
            signals: Object.fromEntries(each.record.signals),
          },
        },
    );
    expect(Object.fromEntries(ids.map((id, index) => [id, plain[index]]))).toEqual(expected.samples);
    const { snapshot, weights } = (await store.lookUp("d", ids)) ?? {};
    expect(snapshot).toMatchObject(expected.summary.snapshot);
    expect([...(weights ?? [])]).toEqual(ids.map((id) => expected.samples[id]?.weight ?? Number.NaN));
    expect((await store.readDirection("v"))?.bytes).toBe(12);
  });

  it.skipIf(skip)("names the models whose scores its samples have, and goes on counting", async () => {
    const store = await open();
    const models = async () => [...((await store.readDataset("d"))?.samplesByModel ?? [])];
    expect(await models()).toEqual([
      ["default@first", 1],
      ["default@second", 30],
    ]);
    await store.writeSamples("d", [
      { id: "s0", record: sample({ model: "default@third" }) },
      { id: "s1", record: sample({ model: "default@third" }) },
    ]);
    await store.deleteSample("d", "s2");
    expect(await models()).toEqual([
      ["default@second", 28],
      ["default@third", 2],
    ]);
    expect((await store.readDataset("d"))?.samples).toBe(30);
  });

  it.skipIf(skip)("is weighed again with weights that sum to 1", async () => {
    const store = await open();
    const known = ids.filter((id) => expected.samples[id] !== null);
    const raw = Float64Array.from(known, (_, index) => 1 / (index + 3));
    const sum = raw.reduce((a, b) => a + b);
    const info = await store.writeSnapshot("d", { ids: known, weights: raw.map((each) => each / sum) }, {});
    expect(info).toMatchObject({ version: 3, samples: known.length });
    const { weights } = (await store.lookUp("d", known)) ?? { weights: new Float64Array() };
    expect(Math.abs(weights.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-14);
  });
});
