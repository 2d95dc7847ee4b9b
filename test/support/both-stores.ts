import { afterAll, beforeAll, describe, onTestFinished } from "vitest";
import type { Store } from "../../src/store/port.js";
import { openRedisStore } from "../../src/store/redis/store.js";
import { temporaryStore } from "./app.js";
import { hasRedisServer, type RedisServer, startRedis } from "./redis.js";

/**
 * Describes the same behaviour over the embedded store and over Redis, which is skipped without `redis-server`.
 *
 * @param behaves declares the tests; `openStore` makes an empty store, which is closed after the test
 */
export function describeOverBothStores(
  what: string,
  behaves: (openStore: () => Promise<Store>) => void,
): void {
  describe(`${what} in the embedded store`, () => behaves(temporaryStore));

  describe.skipIf(!hasRedisServer())(`${what} in Redis`, () => {
    let redis: RedisServer;
    let prefixes = 0;
    beforeAll(async () => {
      redis = await startRedis();
    });
    afterAll(() => redis.remove());
    behaves(async () => {
      prefixes += 1;
      const store = openRedisStore({ url: `redis://127.0.0.1:${redis.port}/0?prefix=test${prefixes}:` });
      onTestFinished(() => store.close());
      return store;
    });
  });
}
