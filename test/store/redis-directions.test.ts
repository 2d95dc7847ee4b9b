import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Store } from "../../src/store/port.js";
import { openRedisStore } from "../../src/store/redis/store.js";
import { hasRedisServer, type RedisServer, startRedis } from "../support/redis.js";
import { chunksOf, facts, readAll, vectorBytes } from "./conformance/directions.js";

const TABLE = "assay:directions:{directions}";

describe.skipIf(!hasRedisServer())("directions in Redis (skipped without redis-server)", () => {
  let server: RedisServer;
  let admin: Redis;
  let store: Store;

  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    admin = new Redis(server.port, "127.0.0.1");
    await admin.flushall();
    store = openRedisStore({ url: `redis://127.0.0.1:${server.port}` });
  });
  afterEach(async () => {
    await store.close();
    admin.disconnect();
  });

  const chunkKeys = (): Promise<string[]> => admin.keys(`${TABLE}:*`);
  const expiries = async (): Promise<number[]> =>
    Promise.all((await chunkKeys()).map((key) => admin.pttl(key)));

  it("lie in strings under a megabyte that last as long as their entry", async () => {
    await store.writeDirection(facts(), chunksOf(vectorBytes(1, 1_700_000)));
    const lengths = await Promise.all((await chunkKeys()).map((key) => admin.strlen(key)));
    expect(lengths).toHaveLength(4);
    expect(Math.max(...lengths)).toBeLessThan(1_000_000);
    expect(new Set(await expiries())).toEqual(new Set([-1]));
  });

  it("leave nothing for good when they are replaced or deleted", async () => {
    await store.writeDirection(facts(), chunksOf(vectorBytes(1, 600_000)));
    await store.writeDirection(facts(), chunksOf(vectorBytes(2, 600_000)));
    expect((await expiries()).filter((leftMs) => leftMs > 0 && leftMs <= 60_000)).toHaveLength(2);
    await store.deleteDirection("v");
    expect((await expiries()).every((leftMs) => leftMs > 0 && leftMs <= 60_000)).toBe(true);
    expect(await admin.exists(TABLE)).toBe(0);
  });

  it("expire where their writer dies before they are complete, and at once where it only fails", async () => {
    let seen: number[] = [];
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield vectorBytes(1, 1_100_000);
      seen = await expiries();
      throw new Error("broke off");
    }
    await expect(store.writeDirection(facts(), broken())).rejects.toThrow("broke off");
    expect(seen).toHaveLength(2);
    expect(seen.every((leftMs) => leftMs > 0)).toBe(true);
    expect(await chunkKeys()).toEqual([]);
  });

  it("are not published where Redis has lost a part meanwhile, and the one before stays", async () => {
    const info = await store.writeDirection(facts(), chunksOf(vectorBytes(1, 100)));
    async function* evicted(): AsyncGenerator<Uint8Array> {
      yield vectorBytes(2, 600_000);
      for (const key of await chunkKeys()) if ((await admin.pttl(key)) > 0) await admin.del(key);
      yield vectorBytes(3, 600_000);
    }
    await expect(store.writeDirection(facts(), evicted())).rejects.toMatchObject({
      code: "store_unavailable",
    });
    expect(await store.readDirection("v")).toEqual(info);
    expect(await readAll(store, info)).toHaveLength(100);
    expect(await chunkKeys()).toHaveLength(1);
  });

  it("are refused where Redis has lost a part since", async () => {
    const info = await store.writeDirection(facts(), chunksOf(vectorBytes(1, 600_000)));
    await admin.del((await chunkKeys())[0] as string);
    await expect(readAll(store, info)).rejects.toMatchObject({ code: "store_corrupt", message: /maxmemory/ });
  });

  it("fail clearly when Redis dies in the middle of a vector", async () => {
    async function* interrupted(): AsyncGenerator<Uint8Array> {
      yield vectorBytes(1, 600_000);
      await server.kill();
      yield vectorBytes(2, 600_000);
    }
    try {
      await expect(store.writeDirection(facts(), interrupted())).rejects.toMatchObject({
        code: "store_unavailable",
      });
    } finally {
      await server.start();
    }
  });
});
