import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Store } from "../../src/store/port.js";
import { slotOf } from "../../src/store/redis/slots.js";
import { openRedisStore, type RedisStoreOptions } from "../../src/store/redis/store.js";
import { hasRedisServer, type RedisServer } from "../support/redis.js";
import { type RedisCluster, startRedisCluster } from "../support/redis-cluster.js";
import { until } from "../support/until.js";
import { sample, scanAll } from "./conformance/records.js";
import { describeStore } from "./conformance.js";

describe.skipIf(!hasRedisServer())("the store on a Redis Cluster (skipped without redis-server)", () => {
  let cluster: RedisCluster;
  const opened: Store[] = [];
  let places = 0;

  beforeAll(async () => {
    cluster = await startRedisCluster(3, ["--appendonly", "yes", "--appendfsync", "always"]);
  });
  afterAll(() => cluster.remove());
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
  });

  const portOf = (index: number): number => cluster.masters[index]?.port as number;

  /** The node of the URL is one that has a third of the slots. */
  function urlFor(prefix: string, node = 0): string {
    return `redis://127.0.0.1:${portOf(node)}?cluster=true&prefix=${prefix}`;
  }

  function open(prefix: string, options: Partial<RedisStoreOptions> = {}): Store {
    const store = openRedisStore({ url: urlFor(prefix), timeoutMs: 10_000, ...options });
    opened.push(store);
    return store;
  }

  describeStore("redis cluster", async () => {
    const prefix = `suite-${places++}`;
    return {
      status: {
        kind: "redis",
        durability:
          "An acknowledged write is on Redis's disk (appendfsync always). Nothing is evicted (maxmemory-policy noeviction).",
      },
      open: async (options) => openRedisStore({ url: urlFor(prefix, places % 3), ...options }),
      remove: async () => {},
    };
  });

  it("knows the slot of a key as Redis does", async () => {
    const admin = new Redis(portOf(0), "127.0.0.1");
    for (const key of ["", "a", "assay:{d}:x:1", "a{}b", "a{b", "a{{b}}c", "{ä}é", "}{", "a:{b}{c}"])
      expect([key, slotOf(key)]).toEqual([key, await admin.call("CLUSTER", "KEYSLOT", key)]);
    admin.disconnect();
  });

  it("spreads datasets over the masters", async () => {
    const store = open("spread");
    for (let index = 0; index < 30; index++)
      await store.writeSamples(`d${index}`, [{ id: "a", record: sample() }]);
    for (const { port } of cluster.masters) {
      const admin = new Redis(port, "127.0.0.1");
      expect((await admin.keys("spread:{d*}")).length).toBeGreaterThan(0);
      admin.disconnect();
    }
    expect((await store.listDatasets(null, 100)).items).toHaveLength(30);
  });

  it("goes on with other datasets while a master is gone, is not ready, and recovers by itself", async () => {
    const store = open("gone", { timeoutMs: 2000 });
    const names = Array.from({ length: 9 }, (_, index) => `d${index}`);
    for (const name of names) await store.writeSamples(name, [{ id: "a", record: sample() }]);
    const server = cluster.masters[2] as (typeof cluster.masters)[number];
    const isOn = (name: string): boolean => slotOf(`gone:{${name}}`) >= Math.floor((2 * 16_384) / 3);
    expect(new Set(names.map(isOn)).size).toBe(2);
    await server.kill();
    await expect(store.status()).rejects.toMatchObject({ code: "store_unavailable" });
    const refused = { code: "store_unavailable" };
    for (const name of names.filter(isOn))
      await expect(store.writeSamples(name, [{ id: "b", record: sample() }])).rejects.toMatchObject(refused);
    await server.start();
    await until(() => store.status());
    for (const name of names) await until(() => store.writeSamples(name, [{ id: "b", record: sample() }]));
    for (const name of names)
      expect((await scanAll(store, name)).map(({ id }) => id).sort()).toEqual(["a", "b"]);
  });

  it("follows a slot that has moved to another master", async () => {
    const store = open("moved");
    await store.writeSamples("d", [{ id: "a", record: sample() }]);
    const slot = slotOf("moved:{d}");
    const admins = cluster.masters.map(({ port }) => new Redis(port, "127.0.0.1"));
    const from = Math.floor((slot * 3) / 16_384);
    const to = (from + 1) % 3;
    const [source, target] = [admins[from] as Redis, admins[to] as Redis];
    const [sourceId, targetId] = [await source.call("CLUSTER", "MYID"), await target.call("CLUSTER", "MYID")];
    await target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId as string);
    await source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", targetId as string);
    for (;;) {
      // The suite's datasets are in this slot too.
      const keys = (await source.call("CLUSTER", "GETKEYSINSLOT", slot, 1000)) as string[];
      if (keys.length === 0) break;
      await source.call("MIGRATE", "127.0.0.1", portOf(to), "", 0, 5000, "KEYS", ...keys);
    }
    for (const admin of [target, source, ...admins])
      await admin.call("CLUSTER", "SETSLOT", slot, "NODE", targetId as string);
    await store.writeSamples("d", [{ id: "b", record: sample() }]);
    expect((await scanAll(store, "d")).map(({ id }) => id).sort()).toEqual(["a", "b"]);
    for (const admin of admins) admin.disconnect();
  });

  it("goes on by itself after a failover, with every acknowledged write", async () => {
    const own = await startRedisCluster(3, ["--appendonly", "yes", "--appendfsync", "always"]);
    onTestFinished(() => own.remove());
    await own.addReplica(1);
    const [first, lost] = own.masters as [RedisServer, RedisServer];
    const store = openRedisStore({ url: `redis://127.0.0.1:${first.port}?cluster=true`, timeoutMs: 2000 });
    opened.push(store);
    const name = Array.from({ length: 99 }, (_, index) => `d${index}`).find(
      (each) => Math.floor((3 * slotOf(`assay:{${each}}`)) / 16_384) === 1,
    ) as string;
    await store.writeSamples(name, [{ id: "a", record: sample() }]);
    const admin = new Redis(lost.port, "127.0.0.1");
    await admin.wait(1, 5000); // until the replica has it too
    admin.disconnect();
    await lost.kill();
    await expect(store.writeSamples(name, [{ id: "b", record: sample() }])).rejects.toMatchObject({
      code: "store_unavailable",
    });
    await until(() => store.writeSamples(name, [{ id: "b", record: sample() }]));
    await until(() => store.status());
    expect((await scanAll(store, name)).map(({ id }) => id).sort()).toEqual(["a", "b"]);
  });

  it("says what is wrong with a URL that does not say cluster=true, and with a dataset that has no slot of its own", async () => {
    const store = openRedisStore({ url: `redis://127.0.0.1:${portOf(0)}?prefix=plain` });
    opened.push(store);
    const names = Array.from({ length: 9 }, (_, index) => `d${index}`);
    const writes = names.map((name) => store.writeSamples(name, [{ id: "a", record: sample() }]));
    const refusals = (await Promise.allSettled(writes)).flatMap((each) =>
      each.status === "rejected" ? [each.reason.message] : [],
    );
    expect(new Set(refusals)).toEqual(
      new Set(["Redis is a cluster: add cluster=true to the URL, after a ? or & (MOVED)"]),
    );
    await expect(open("brace").writeSamples("}d", [{ id: "a", record: sample() }])).rejects.toMatchObject({
      message: expect.stringMatching(/whose name begins with \}/),
    });
  });
});
