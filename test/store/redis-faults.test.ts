import { mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { Redis } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { KEY_COMMANDS } from "../../src/store/redis/readiness.js";
import { openRedisStore, type RedisStore, type RedisStoreOptions } from "../../src/store/redis/store.js";
import { hasRedisServer, type RedisServer, startRedis } from "../support/redis.js";
import { startSwitchboard } from "../support/switchboard.js";
import { until } from "../support/until.js";
import { chunksOf, facts, vectorBytes } from "./conformance/directions.js";
import { sample, scanAll } from "./conformance/records.js";

const DURABLE = [
  "--databases",
  "4",
  "--appendonly",
  "yes",
  "--appendfsync",
  "always",
  "--repl-diskless-sync-delay",
  "0",
];

/** Everything that an error may bring into a log or an answer. */
function everyWord(error: unknown): string {
  return inspect(error, { depth: null });
}

function store(url: string, options: Partial<RedisStoreOptions> = {}): RedisStore {
  const opened = openRedisStore({ url, timeoutMs: 10_000, ...options });
  onTestFinished(() => opened.close());
  return opened;
}

async function idsOf(from: RedisStore): Promise<string[]> {
  return (await scanAll(from, "d")).map(({ id }) => id).sort();
}

describe.skipIf(!hasRedisServer())(
  "a Redis that does not do as it is asked (skipped without redis-server)",
  () => {
    let server: RedisServer;
    let admin: Redis;
    let at: string;

    beforeEach(async () => {
      server = await startRedis(DURABLE);
      admin = new Redis(server.port, "127.0.0.1");
      admin.on("error", () => {}); // some tests end the server
      at = `127.0.0.1:${server.port}`;
    });
    afterEach(async () => {
      admin.disconnect();
      await server.remove();
    });

    const write = (to: RedisStore, id: string): Promise<unknown> =>
      to.writeSamples("d", [{ id, record: sample() }]);

    describe("at the start", () => {
      it.each([
        ["a database that it does not have", "", "/4", /does not have the database/],
        ["a wrong password", "secret:secretx@", "", /WRONGPASS/],
        ["a user that it does not know", "secret2:secret@", "", /WRONGPASS/],
        ["a user without SELECT", "secret:secret@", "/1", /may not run SELECT/],
        ["a user without a command of the scripts", "secret:secret@", "", /may not run HSETNX, SETBIT/],
        ["a user without scripts", "plain:secret@", "", /may not run EVALSHA/],
        ["a user of other keys", "stranger:secret@", "", /keys of the prefix/],
      ])("is refused for %s, in words", async (_, user, database, words) => {
        await admin.call(
          "ACL",
          "SETUSER",
          "secret",
          "on",
          ">secret",
          "~assay:*",
          "+@all",
          "-select",
          "-hsetnx",
          "-setbit",
        );
        await admin.call("ACL", "SETUSER", "plain", "on", ">secret", "~assay:*", "+@all", "-@scripting");
        await admin.call("ACL", "SETUSER", "stranger", "on", ">secret", "~other:*", "+@all");
        const losses: string[] = [];
        const refused = store(`redis://${user}${at}${database}`, {
          onChange: (lost) => void losses.push(String(lost)),
        });
        const error = await refused.tried().catch((thrown) => thrown);
        expect(error).toMatchObject({ code: "config_invalid", message: words });
        await expect(refused.status()).rejects.toMatchObject({ code: "store_unavailable", message: words });
        await expect(write(refused, "a")).rejects.toMatchObject({ code: "store_unavailable" });
        expect(everyWord([error, losses])).not.toMatch(/secret|127\.0\.0\.1/);
        expect((await admin.keys("*")).filter((key) => key !== "assay:format")).toEqual([]);
      });

      it("is refused for a password that the URL lacks", async () => {
        await admin.config("SET", "requirepass", "secret");
        await expect(store(`redis://${at}`).tried()).rejects.toMatchObject({
          code: "config_invalid",
          message: /needs a password.*NOAUTH/,
        });
      });

      it("goes on where nothing answers, without its address in what clients are told", async () => {
        const losses: (string | null)[] = [];
        await server.kill();
        const waiting = store(`redis://secret:secret@${at}`, { onChange: (lost) => void losses.push(lost) });
        await waiting.tried();
        const error = await waiting.status().catch((thrown) => thrown);
        expect(error).toMatchObject({ code: "store_unavailable", message: /ECONNREFUSED/ });
        expect(error.message).not.toContain("127.0.0.1");
        expect(losses).toEqual([`connect ECONNREFUSED ${at}`]);
        expect(everyWord(error)).not.toContain("secret");
      });

      it("is not refused while Redis reads its data, and serves when it has done so", async () => {
        const before = store(`redis://${at}`);
        const entries = Array.from({ length: 3000 }, (_, index) => ({ id: `s${index}`, record: sample() }));
        await before.writeSamples("d", entries);
        await server.kill();
        const slowly = ["--key-load-delay", "400"];
        const started = server.start([...DURABLE, ...slowly]);
        const loading = store(`redis://${at}`);
        await loading.tried();
        const words = new Set<string>();
        await until(async () => {
          await loading.status().catch(({ message }) => {
            words.add(message);
            throw new Error(message);
          });
        });
        await started;
        expect([...words]).toContainEqual(expect.stringMatching(/still loading its data \(LOADING\)/));
        expect(await idsOf(loading)).toHaveLength(3000);
      });
    });

    it("lists every command that the store and its scripts give to a key", async () => {
      const folder = new URL("../../src/store/redis/", import.meta.url);
      const found = new Set<string>();
      for (const name of await readdir(folder)) {
        const text = await readFile(new URL(name, folder), "utf8");
        for (const [, command] of text.matchAll(/(?:redis\.call|send)\(\s*"([A-Z]+)"/g))
          found.add(command as string);
      }
      for (const keyless of ["TIME", "CONFIG", "SELECT", "CLUSTER"]) found.delete(keyless);
      expect([...found].sort()).toEqual([...KEY_COMMANDS]);
    });

    it("never writes to another database than its own, whatever Redis comes back", async () => {
      const kept = store(`redis://${at}/3`);
      await write(kept, "a");
      await server.kill();
      await server.start(["--databases", "2"]);
      await until(() => admin.ping());
      await until(async () =>
        expect(await kept.status().catch(({ message }) => message)).toMatch(/does not have the database/),
      );
      await expect(write(kept, "b")).rejects.toMatchObject({ code: "store_unavailable" });
      expect(await admin.dbsize()).toBe(0);
    });

    describe("on the way", () => {
      /** What is wrong, how it begins, how it ends, and what is said of it. */
      const states: readonly [string, () => Promise<unknown>, () => Promise<unknown>, RegExp][] = [
        [
          "the memory is full",
          () => admin.config("SET", "maxmemory", "1"),
          () => admin.config("SET", "maxmemory", "0"),
          /maxmemory.*OOM/,
        ],
        [
          "the disk takes no dump",
          async () => {
            // A folder where the dump should be: it cannot be put there.
            await mkdir(join(server.directory, "dump.rdb"));
            await admin.config("SET", "save", "3600 1");
            await admin.bgsave();
          },
          async () => {
            await rmdir(join(server.directory, "dump.rdb"));
            await until(() => admin.bgsave());
          },
          /disk.*MISCONF/,
        ],
        [
          "replicas are missing",
          () => admin.config("SET", "min-replicas-to-write", "1"),
          () => admin.config("SET", "min-replicas-to-write", "0"),
          /min-replicas.*NOREPLICAS/,
        ],
        [
          "it is a replica",
          () => admin.replicaof("127.0.0.1", 1),
          () => admin.replicaof("NO", "ONE"),
          /read-only replica.*READONLY/,
        ],
      ];

      it.each(states)(
        "is not ready while %s, keeps what it acknowledged, and recovers",
        async (_, begin, end, words) => {
          const written = store(`redis://${at}`);
          await written.writeSamples("d", [{ id: "a", record: sample() }]);
          const before = await admin.hgetall("assay:{d}");
          await begin();
          await until(() =>
            expect(written.status()).rejects.toMatchObject({ code: "store_unavailable", message: words }),
          );
          const many = Array.from({ length: 50 }, (_, index) => ({ id: `n${index}`, record: sample() }));
          await until(() =>
            expect(written.writeSamples("d", many)).rejects.toMatchObject({ message: words }),
          );
          await until(() =>
            expect(written.writeSamples("new", many)).rejects.toMatchObject({ message: words }),
          );
          await until(async () => expect(await idsOf(written)).toEqual(["a"]));
          expect(await admin.hgetall("assay:{d}")).toEqual(before);
          expect(await written.readDataset("new")).toBeNull();
          await end();
          await until(() => written.status());
          await until(() => written.writeSamples("d", many));
          expect((await written.readDataset("d"))?.samples).toBe(51);
        },
      );

      it("is connected to anew after a failover, with every acknowledged write", async () => {
        const heir = await startRedis(DURABLE);
        onTestFinished(() => heir.remove());
        const board = await startSwitchboard(server.port);
        onTestFinished(() => board.close());
        const followed = store(`redis://127.0.0.1:${board.port}`);
        const other = new Redis(heir.port, "127.0.0.1");
        onTestFinished(() => other.disconnect());
        await other.replicaof("127.0.0.1", server.port);
        await until(async () => expect(await other.info("replication")).toContain("master_link_status:up"));

        const acknowledged: string[] = [];
        let ended = false;
        const writing = (async () => {
          for (let index = 0; !ended; index++) {
            await write(followed, `s${index}`).then(
              () => acknowledged.push(`s${index}`),
              () => new Promise((resolve) => setTimeout(resolve, 20)),
            );
          }
        })();
        await until(async () => expect(acknowledged.length).toBeGreaterThan(50));
        await admin.call("FAILOVER", "TO", "127.0.0.1", heir.port);
        await until(async () => expect(await other.role()).toContain("master"));
        await until(() => expect(followed.status()).rejects.toMatchObject({ message: /READONLY/ }));
        const before = acknowledged.length;
        board.target = heir.port;
        await until(() => followed.status());
        await until(async () => expect(acknowledged.length).toBeGreaterThan(before + 10));
        ended = true;
        await writing;
        expect(await idsOf(followed)).toEqual(expect.arrayContaining([...acknowledged].sort()));
        expect(await other.hlen("assay:{d}")).toBeGreaterThan(0);
      });

      it("that hangs is sent no more than it may hold, and does each write once when it goes on", async () => {
        const held = store(`redis://${at}`, { timeoutMs: 600 });
        await until(() => write(held, "a"));
        server.freeze();
        const entries = Array.from({ length: 200 }, (_, index) => ({ id: `n${index}`, record: sample() }));
        const overdue = await refusalsOf(20, () => held.writeSamples("d", entries));
        expect(new Set(overdue)).toEqual(new Set(["Redis has not answered in time"]));
        const later = await refusalsOf(500, () => held.writeSamples("d", entries));
        expect(new Set(later)).toEqual(
          new Set(["Redis has not answered in time; nothing more is sent to it until it does"]),
        );
        await expect(held.status()).rejects.toMatchObject({ code: "store_unavailable" });
        server.thaw();
        await until(() => held.status());
        await until(() => held.writeSamples("d", entries));
        expect((await held.readDataset("d"))?.samples).toBe(201);
        expect(await idsOf(held)).toHaveLength(201);
      });

      it("that hangs is not given more than memory bears before the first answer is overdue", async () => {
        const held = store(`redis://${at}`, { timeoutMs: 4000 });
        await until(() => held.status());
        server.freeze();
        const vector = vectorBytes(1, 524_288);
        let name = 0;
        const words = await refusalsOf(200, async () => {
          await held.writeDirection(facts({ name: `v${name++}` }), chunksOf(vector));
        });
        expect(words).toContain(
          "Redis has too many unanswered commands; nothing more is sent to it until it answers",
        );
        server.thaw();
        await until(() => held.status());
      });
    });
  },
);

/** What each of `count` attempts at once was refused with. */
async function refusalsOf(count: number, attempt: () => Promise<unknown>): Promise<string[]> {
  const settled = await Promise.allSettled(Array.from({ length: count }, attempt));
  return settled.map((each) => (each.status === "rejected" ? each.reason.message : "done"));
}
