import { Redis } from "ioredis";
import { expect } from "vitest";
import { freePort, type RedisServer, startRedis } from "./redis.js";
import { until } from "./until.js";

const SLOTS = 16_384;

/** A Redis Cluster of our own: masters with equal shares of the slots, and no replicas. */
export interface RedisCluster {
  readonly masters: readonly RedisServer[];
  remove(): Promise<void>;
}

export async function startRedisCluster(size: number, args: readonly string[] = []): Promise<RedisCluster> {
  const busPorts = await Promise.all(Array.from({ length: size }, freePort));
  const masters = await Promise.all(
    busPorts.map((port) =>
      startRedis([
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "2000",
        "--cluster-port",
        `${port}`,
        ...args,
      ]),
    ),
  );
  const admins = masters.map(({ port }) => new Redis(port, "127.0.0.1"));
  try {
    for (const [index, admin] of admins.entries()) {
      const [first, after] = [index, index + 1].map((each) => Math.floor((each * SLOTS) / size));
      await admin.call("CLUSTER", "ADDSLOTSRANGE", `${first}`, `${(after as number) - 1}`);
      await admin.call("CLUSTER", "MEET", "127.0.0.1", `${masters[0]?.port}`, `${busPorts[0]}`);
    }
    for (const admin of admins)
      await until(async () => {
        expect(await admin.call("CLUSTER", "INFO")).toContain("cluster_state:ok");
        expect(await admin.call("CLUSTER", "SLOTS")).toHaveLength(size);
      });
  } finally {
    for (const admin of admins) admin.disconnect();
  }
  return {
    masters,
    async remove() {
      await Promise.all(masters.map((each) => each.remove()));
    },
  };
}
