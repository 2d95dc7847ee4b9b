import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Json, post } from "../support/post.js";
import { hasRedisServer, startRedis } from "../support/redis.js";
import { type Service, startService } from "../support/service.js";
import { until } from "../support/until.js";

const samples = [
  { id: "a", query: "usb c cable", document: "USB-C charging cable, 2 m", label: 1 },
  { id: "b", query: "usb c cable", document: "Garden chair", label: 0 },
];

async function readiness({ url }: Service) {
  const response = await fetch(`${url}/readyz`);
  const { store }: Json = await response.json();
  return { status: response.status, store };
}

describe.skipIf(!hasRedisServer())("the service on Redis", () => {
  async function redisAndService() {
    const redis = await startRedis(["--appendonly", "yes", "--appendfsync", "always"]);
    onTestFinished(() => redis.remove());
    const env = { ASSAY_REDIS_URL: `redis://127.0.0.1:${redis.port}/0` };
    return { redis, env, service: await startService({ env }) };
  }

  it("lets any replica answer what another one scored and weighed", async () => {
    const { env, service } = await redisAndService();
    const replica = await startService({ env });
    expect((await post(service, "/v1/score", { dataset: "d", samples })).status).toBe(200);
    expect((await post(replica, "/v1/score", { samples })).body.diagnostics.cache_hits).toBe(2);
    await post(replica, "/v1/datasets/d/weights", { weighting: { signal: "loss", scheme: "rank" } });
    const found = await post(service, "/v1/datasets/d/lookup", { ids: ["a", "b"] });
    expect(found.body.results.map(({ weight }: { weight: number }) => weight).sort()).toEqual([
      expect.closeTo(1 / 3, 6),
      expect.closeTo(2 / 3, 6),
    ]);
  });

  it("says in /readyz what an acknowledged write promises", async () => {
    const { service } = await redisAndService();
    expect(await readiness(service)).toMatchObject({
      status: 200,
      store: { detail: expect.stringContaining("appendfsync") },
    });
  });

  it("loses nothing acknowledged when Redis dies, fails clearly meanwhile, and resumes by itself", async () => {
    const { redis, service } = await redisAndService();
    expect((await post(service, "/v1/score", { dataset: "d", samples })).status).toBe(200);
    await redis.kill();

    const refused = await post(service, "/v1/score", { dataset: "d", samples });
    expect({ status: refused.status, code: refused.body.code }).toEqual({
      status: 503,
      code: "store_unavailable",
    });
    expect((await post(service, "/v1/score", { samples })).status).toBe(200);
    expect(await readiness(service)).toMatchObject({ status: 503, store: { ready: false } });

    await redis.start();
    while ((await readiness(service)).status !== 200) await delay(50);
    const found = await post(service, "/v1/datasets/d/lookup", { ids: ["a", "b"] });
    expect(found.body.results.map(({ id }: { id: string }) => id)).toEqual(["a", "b"]);
  });

  it("does not start on a Redis that refuses it, and prints why without the password", async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.remove());
    const admin = new Redis(redis.port, "127.0.0.1");
    await admin.config("SET", "requirepass", "secret");
    admin.disconnect();
    for (const [url, words] of [
      [`redis://:secret@127.0.0.1:${redis.port}/99`, /does not have the database/],
      [`redis://:secretly@127.0.0.1:${redis.port}`, /WRONGPASS/],
      [`redis://:1#secret@127.0.0.1:${redis.port}`, /%23/],
    ] as const) {
      const error = await startService({ env: { ASSAY_REDIS_URL: url } }).catch((thrown) => thrown);
      expect(error.message).toMatch(/ended \(exit code 1\)/);
      expect(error.message).toMatch(words);
      expect(error.message).not.toMatch(/secret|Assay listens/);
    }
  });

  it("is not ready within two seconds while Redis hangs, and ready again when it goes on", async () => {
    const { redis, service } = await redisAndService();
    redis.freeze();
    const startedAtMs = performance.now();
    const hung = await readiness(service);
    // The answer is due after 1.5 s; the rest is for a slow machine.
    expect(performance.now() - startedAtMs).toBeLessThan(4000);
    expect(hung).toMatchObject({ status: 503, store: { ready: false } });
    expect(hung.store.detail).toMatch(/has not answered/);
    redis.thaw();
    await until(async () => expect((await readiness(service)).status).toBe(200));
  });

  it("is not ready while Redis takes no writes, tells no address, and is ready again by itself", async () => {
    const { redis, service } = await redisAndService();
    const admin = new Redis(redis.port, "127.0.0.1");
    onTestFinished(() => admin.disconnect());
    await admin.config("SET", "maxmemory", "1");
    expect(await readiness(service)).toMatchObject({
      status: 503,
      store: { ready: false, detail: expect.stringContaining("OOM") },
    });
    expect((await post(service, "/v1/score", { dataset: "d", samples })).status).toBe(503);
    await admin.config("SET", "maxmemory", "0");
    expect((await readiness(service)).status).toBe(200);
    expect((await post(service, "/v1/score", { dataset: "d", samples })).status).toBe(200);
    await redis.kill();
    const { status, store } = await readiness(service);
    expect(status).toBe(503);
    expect(store.detail).not.toContain("127.0.0.1");
  });
});
