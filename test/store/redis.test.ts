import { readFileSync } from "node:fs";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { HISTORY_RULES } from "../../src/scoring/datasets/keep.js";
import type { OutputsRecord, Store } from "../../src/store/port.js";
import { describeDurability } from "../../src/store/redis/durability.js";
import { openRedisStore, type RedisStoreOptions } from "../../src/store/redis/store.js";
import { LONG } from "../support/load.js";
import { hasRedisServer, type RedisServer, startRedis } from "../support/redis.js";
import { until } from "../support/until.js";
import { sample, scanAll, weighIds } from "./conformance/records.js";
import { describeStore } from "./conformance.js";

const KILLS = LONG ? 40 : 4;

describe.skipIf(!hasRedisServer())("redis store (skipped without redis-server)", () => {
  let server: RedisServer;
  let admin: Redis;
  const opened: Store[] = [];

  beforeAll(async () => {
    server = await startRedis(["--appendonly", "yes", "--appendfsync", "always"]);
  });
  afterAll(() => server.remove());

  function open(options: Partial<RedisStoreOptions> = {}): Store {
    const store = openRedisStore({ url: `redis://127.0.0.1:${server.port}`, timeoutMs: 10_000, ...options });
    opened.push(store);
    return store;
  }

  let places = 0;
  describeStore(
    "redis store, for a user with the rights that docs/redis.md lists and no others",
    async () => {
      const prefix = `suite-${places++}`;
      const setUp = new Redis(server.port, "127.0.0.1");
      await setUp.call("ACL", "SETUSER", prefix, ...documentedRights(prefix, "secret"));
      setUp.disconnect();
      return {
        status: {
          kind: "redis",
          durability:
            "An acknowledged write is on Redis's disk (appendfsync always). Nothing is evicted (maxmemory-policy noeviction).",
        },
        open: async (options) => {
          const url = `redis://${prefix}:secret@127.0.0.1:${server.port}?prefix=${prefix}`;
          return openRedisStore({ url, ...options });
        },
        remove: async () => {},
      };
    },
  );

  describe("what only Redis does", () => {
    beforeEach(async () => {
      admin = new Redis(server.port, "127.0.0.1");
      admin.on("error", () => {}); // some tests kill the server
      await admin.flushall();
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((each) => each.close()));
      admin.disconnect();
    });

    it("fails within the time-out when Redis dies, and resumes by itself with its data when it is back", async () => {
      const store = open({ timeoutMs: 1500 });
      await until(() => store.writeSamples("d", [{ id: "a", record: sample() }]));
      const underWay = Array.from({ length: 200 }, (_, index) =>
        store.writeSamples("d", [{ id: `b${index}`, record: sample() }]).then(
          () => "written",
          (error: { code: string }) => error.code,
        ),
      );
      await server.kill();
      const startedAtMs = Date.now();
      await expect(store.readSamples("d", ["a"])).rejects.toMatchObject({ code: "store_unavailable" });
      await expect(store.status()).rejects.toMatchObject({ code: "store_unavailable" });
      const outcomes = await Promise.all(underWay);
      expect(Date.now() - startedAtMs).toBeLessThan(10_000);
      expect(new Set([...outcomes, "store_unavailable", "written"]).size).toBe(2);

      await server.start();
      await until(() => store.status());
      const written = outcomes.flatMap((outcome, index) => (outcome === "written" ? [`b${index}`] : []));
      const read = await store.readSamples("d", ["a", ...written]);
      expect(read.every((each) => each !== null)).toBe(true);
      await store.writeSamples("d", [{ id: "c", record: sample() }]);
    });

    it(`keeps every acknowledged write through ${KILLS} kills of Redis in the middle of them`, async () => {
      const writers = Array.from({ length: 4 }, () => open({ timeoutMs: 800 }));
      const acknowledged = new Set<string>();
      let ended = false;
      const writing = writers.map(async (writer, number) => {
        for (let batch = 0; !ended; batch++) {
          const ids = Array.from({ length: 20 }, (_, index) => `w${number}-${batch}-${index}`);
          await writer
            .writeSamples(
              `d${number % 2}`,
              ids.map((id) => ({ id, record: sample() })),
            )
            .then(
              () => ids.forEach((id) => void acknowledged.add(id)),
              () => new Promise((resolve) => setTimeout(resolve, 10)),
            );
        }
      });
      for (let round = 0; round < KILLS; round++) {
        const before = acknowledged.size;
        await until(async () => expect(acknowledged.size).toBeGreaterThan(before + 100));
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 50));
        await server.kill();
        await server.start();
      }
      ended = true;
      await Promise.all(writing);
      // What was refused as late may be done later still: an answer on the same connection comes after it.
      for (const writer of writers) await until(() => writer.status());
      const reader = open();
      const found = new Set<string>();
      for (const dataset of ["d0", "d1"]) {
        for (const { id } of await scanAll(reader, dataset)) found.add(id);
      }
      expect([...acknowledged].filter((id) => !found.has(id))).toEqual([]);
    });

    it("fails within the time-out when Redis hangs, and resumes when it goes on", async () => {
      const store = open({ timeoutMs: 300 });
      await until(() => store.writeSamples("d", [{ id: "a", record: sample() }]));
      server.freeze();
      try {
        const startedAtMs = Date.now();
        await expect(store.readSamples("d", ["a"])).rejects.toMatchObject({ code: "store_unavailable" });
        expect(Date.now() - startedAtMs).toBeLessThan(10_000);
      } finally {
        server.thaw();
      }
      await until(() => store.readSamples("d", ["a"]));
    });

    it("opens while Redis is down, says so, and serves once Redis is there", async () => {
      await server.kill();
      const store = open({ timeoutMs: 300 });
      await expect(store.status()).rejects.toMatchObject({
        code: "store_unavailable",
        message: /ECONNREFUSED/,
      });
      await server.start();
      await until(() => store.writeSamples("d", [{ id: "a", record: sample() }]));
    });

    it("sends its scripts again when Redis forgot them", async () => {
      const store = open();
      await store.writeSamples("d", [{ id: "a", record: sample() }]);
      await admin.script("FLUSH");
      await store.writeSamples("d", [{ id: "b", record: sample() }]);
      await admin.script("FLUSH");
      expect((await store.readSamples("d", ["a", "b"])).every((each) => each !== null)).toBe(true);
    });

    it("starts over when Redis lost everything", async () => {
      const store = open();
      await store.writeSamples("d", [{ id: "a", record: sample() }]);
      await store.readSamples("d", ["a"]);
      await admin.flushall();
      expect(await store.readSamples("d", ["a"])).toEqual([null]);
      const record = sample({ signals: new Map([["margin", 1]]) });
      await store.writeSamples("d", [{ id: "a", record }]);
      expect(await store.readSamples("d", ["a"])).toEqual([{ record, weight: null }]);
      expect((await store.listDatasets(null, 5)).items).toHaveLength(1);
    });

    it("gives a Redis that lost everything the digest key that it had", async () => {
      const [one, other] = [open(), open()];
      const key = await one.digestKey();
      expect((await other.digestKey()).equals(key)).toBe(true);
      await admin.flushall();
      await server.kill();
      await server.start();
      await until(() => one.status());
      expect((await one.digestKey()).equals(key)).toBe(true);
      const third = open();
      expect((await third.digestKey()).equals(key)).toBe(true);
    });

    it("counts the bytes of outputs that take the place of smaller ones", async () => {
      const store = open({ url: `redis://127.0.0.1:${server.port}?prefix=grown` });
      const plain = { logits: Float32Array.of(1), featureNormSquared: 1, truncated: false };
      const bytesAfter = async (record: OutputsRecord): Promise<number> => {
        await store.writeOutputs([{ key: Buffer.alloc(16), record }]);
        const [clock] = (await admin.keys("grown*outputs*")).sort((a, b) => a.length - b.length);
        return Number(await admin.hget(clock as string, "bytes"));
      };
      const before = await bytesAfter(plain);
      expect(await bytesAfter(plain)).toBe(before);
      expect(await bytesAfter({ ...plain, features: new Float32Array(384) })).toBe(before + 2 + 2 * 384);
    });

    it("keeps to its prefix", async () => {
      const [one, other] = ["one", "other"].map((prefix) =>
        open({ url: `redis://127.0.0.1:${server.port}?prefix=${prefix}` }),
      ) as [Store, Store];
      await one.writeSamples("d", [{ id: "a", record: sample() }]);
      await one.writeOutputs([
        {
          key: Buffer.alloc(16),
          record: { logits: Float32Array.of(1), featureNormSquared: 1, truncated: false },
        },
      ]);
      expect(await other.readSamples("d", ["a"])).toEqual([null]);
      expect(await other.readOutputs([Buffer.alloc(16)])).toEqual([null]);
      expect(await other.listDatasets(null, 5)).toEqual({ items: [], cursor: null });
      expect((await one.digestKey()).equals(await other.digestKey())).toBe(false);
      expect(await other.deleteDataset("d")).toBe(false);
      expect((await admin.keys("*")).every((key) => /^(one|other):/.test(key))).toBe(true);
    });

    it("keeps to its database, user and password", async () => {
      await admin.call("ACL", "SETUSER", "assay", "on", ">p@ss", "~assay:*", "&*", "+@all", "-config");
      const store = open({ url: `redis://assay:p%40ss@127.0.0.1:${server.port}/3` });
      await store.writeSamples("d", [{ id: "a", record: sample() }]);
      expect(await admin.dbsize()).toBe(0);
      expect((await store.status()).durability).toMatch(/^Unknown/);
      const stranger = open({ url: `redis://assay:wrong@127.0.0.1:${server.port}/3` });
      await expect(stranger.status()).rejects.toMatchObject({
        code: "store_unavailable",
        message: /WRONGPASS/,
      });
    });

    it("leaves no key behind when a dataset is deleted, also when an earlier deletion was cut short", async () => {
      const store = open();
      const entries = Array.from({ length: 300 }, (_, index) => ({
        id: `s${index}`,
        record: sample(),
        logits: [index],
      }));
      const history = { ...HISTORY_RULES, checkpoint: { name: "epoch-1", step: 1 } };
      await store.writeSamples("d", entries, undefined, history);
      expect((await admin.keys("assay:{d}:*:h:*")).length).toBe(5);
      for (let version = 1; version < 7; version++)
        await weighIds(store, "d", { ids: ["s1"], weights: Float64Array.of(1) }, {});
      await store.deleteSample("d", "s1");
      await store.deleteDataset("d");
      expect(await admin.keys("*")).toEqual(["assay:format"]);
      await store.writeSamples("d", entries, undefined, history);
      await admin.del("assay:{d}"); // as far as a deletion that died came
      expect(await store.readSamples("d", ["s1"])).toEqual([null]);
      expect((await store.listDatasets(null, 5)).items).toEqual([]);
      expect(await admin.keys("*")).toEqual(["assay:format"]);
    });

    it("lets outputs expire in Redis itself", async () => {
      const store = open({ outputsTtlMs: 60_000 });
      const key = Buffer.alloc(16, 7);
      await store.writeOutputs([
        { key, record: { logits: Float32Array.of(1), featureNormSquared: 1, truncated: false } },
      ]);
      const buckets = await admin.keys("assay:outputs:*:0:*");
      expect(buckets).toHaveLength(2);
      for (const bucket of buckets) {
        const leftMs = await admin.pttl(bucket);
        expect(leftMs).toBeGreaterThan(60_000);
        expect(leftMs).toBeLessThanOrEqual(120_000);
      }
    });

    it("keeps buckets packed: a sample with the default signals fits a listpack", async () => {
      const store = open();
      const entries = Array.from({ length: 20_000 }, (_, index) => ({
        id: `sample-${index}`,
        record: sample(),
      }));
      for (let start = 0; start < entries.length; start += 2000) {
        await store.writeSamples("d", entries.slice(start, start + 2000));
      }
      const ids = entries.map(({ id }) => id);
      for (let version = 1; version <= 6; version++) {
        await weighIds(store, "d", { ids, weights: new Float64Array(ids.length).fill(1) }, {});
      }
      const buckets = (await admin.keys("assay:{d}:*")).filter((key) => /^[^:]*:[^:]*:[^:]*:\d+$/.test(key));
      const encodings = await Promise.all(buckets.map((key) => admin.object("ENCODING", key)));
      expect(new Set(encodings)).toEqual(new Set(["listpack"]));
      // Four snapshots of five chunks each stay; those of the first two are gone.
      expect(await admin.keys("assay:{d}:*:w:*")).toHaveLength(20);
    });

    it("refuses a record of another layout, and leaves it alone", async () => {
      const store = open();
      await store.writeSamples("d", [{ id: "a", record: sample() }]);
      const bucket = (await admin.keys("assay:{d}:*")).find((key) => /:\d+$/.test(key)) as string;
      await admin.hset(bucket, "a", Buffer.from([0x30, 1, 2, 3]));
      await expect(store.readSamples("d", ["a"])).rejects.toMatchObject({ code: "store_corrupt" });
      const batch = [
        { id: "b", record: sample() },
        { id: "a", record: sample() },
      ];
      await expect(store.writeSamples("d", batch)).rejects.toMatchObject({ code: "store_corrupt" });
      expect(await store.readSamples("d", ["b"])).toEqual([null]);
      expect((await store.readDataset("d"))?.samples).toBe(1);
    });

    it("says what Redis's settings promise", async () => {
      expect((await open().status()).durability).toBe(
        "An acknowledged write is on Redis's disk (appendfsync always). Nothing is evicted (maxmemory-policy noeviction).",
      );
      const settings = (changes: Record<string, string>) =>
        describeDurability(
          new Map(Object.entries({ appendonly: "no", save: "", maxmemory: "0", ...changes })),
        );
      expect(settings({})).toMatch(/memory only/);
      expect(settings({ save: "3600 1" })).toMatch(/last dump/);
      expect(settings({ appendonly: "yes", appendfsync: "everysec" })).toMatch(/about a second/);
      expect(settings({ maxmemory: "1000000", "maxmemory-policy": "allkeys-lru" })).toMatch(
        /Samples may be evicted/,
      );
      expect(settings({ maxmemory: "1000000", "maxmemory-policy": "volatile-lru" })).toMatch(
        /only cached outputs/,
      );
    });
  });
});

/** The arguments after the user's name. */
function documentedRights(prefix: string, password: string): string[] {
  const page = readFileSync(new URL("../../docs/redis.md", import.meta.url), "utf8");
  const rights = /ACL SETUSER assay ([^`]+)/.exec(page)?.[1] as string;
  return rights.replace("PASSWORD", password).replace("~assay:", `~${prefix}:`).trim().split(/\s+/);
}
