import { Redis } from "ioredis";
import { expect } from "vitest";
import { freePort, type RedisServer, startRedis } from "./redis.js";
import { until } from "./until.js";

const SLOTS = 16_384;

/** A Redis Cluster of our own: masters with equal shares of the slots, and no replicas. */
export interface RedisCluster {
  readonly masters: readonly RedisServer[];
  /** Starts a replica of the master, and waits until it has its data. */
  addReplica(master: number): Promise<RedisServer>;
  remove(): Promise<void>;
}

export async function startRedisCluster(size: number, args: readonly string[] = []): Promise<RedisCluster> {
  const settings = (busPort: number): string[] => [
    ...["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", `${busPort}`],
    ...["--repl-diskless-sync-delay", "0", ...args],
  ];
  const busPorts = await Promise.all(Array.from({ length: size }, freePort));
  const masters = await Promise.all(busPorts.map((port) => startRedis(settings(port))));
  const replicas: RedisServer[] = [];
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
    async addReplica(master) {
      const replica = await startRedis(settings(await freePort()));
      replicas.push(replica);
      const admin = new Redis(replica.port, "127.0.0.1");
      const others = masters.map((each) => new Redis(each.port, "127.0.0.1"));
      try {
        const masterId = (await others[master]?.call("CLUSTER", "MYID")) as string;
        await admin.call("CLUSTER", "MEET", "127.0.0.1", `${masters[master]?.port}`, `${busPorts[master]}`);
        await until(async () => expect(await admin.call("CLUSTER", "NODES")).toContain(masterId));
        await until(() => admin.call("CLUSTER", "REPLICATE", masterId));
        await until(async () => expect(await admin.info("replication")).toContain("master_link_status:up"));
        // Only a replica that the other masters know is elected.
        for (const other of others)
          await until(async () =>
            expect(await other.call("CLUSTER", "NODES")).toContain(`slave ${masterId}`),
          );
      } finally {
        for (const each of [admin, ...others]) each.disconnect();
      }
      return replica;
    },
    async remove() {
      await Promise.all([...masters, ...replicas].map((each) => each.remove()));
    },
  };
}
