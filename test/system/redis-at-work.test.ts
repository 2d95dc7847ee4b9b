import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Json, post } from "../support/post.js";
import { hasRedisServer, startRedis } from "../support/redis.js";
import { startService } from "../support/service.js";
import { until } from "../support/until.js";

const BATCH = 500;
/** So many batches that a weighing takes a while. */
const BATCHES = 40;

interface Outcome {
  readonly status: number;
  readonly code: string | undefined;
  readonly detail: string | undefined;
}

const outcomeOf = ({ status, body }: { status: number; body: Json }): Outcome => ({
  status,
  code: body.code,
  detail: body.detail,
});

/** A service on a Redis of its own, with a dataset, while both kinds of work go on. */
async function atWork() {
  const redis = await startRedis([
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--repl-diskless-sync-delay",
    "0",
  ]);
  onTestFinished(() => redis.remove());
  const admin = new Redis(redis.port, "127.0.0.1");
  admin.on("error", () => {}); // some tests end the server
  onTestFinished(() => admin.disconnect());
  const env = { ASSAY_DEFAULT_MODEL: "none", ASSAY_REDIS_URL: `redis://127.0.0.1:${redis.port}` };
  const service = await startService({ env, until: "listening" });
  let next = 0;
  const acknowledged = new Set<number>();
  async function observe(): Promise<Outcome> {
    const batch = next++;
    const samples = Array.from({ length: BATCH }, (_, index) => ({
      id: `${batch}-${index}`,
      label: index % 2,
      logits: 1,
    }));
    const checkpoint = { name: "epoch-1", step: 1 };
    const answer = await post(service, "/v1/datasets/d/observations", {
      checkpoint,
      loss: "bce",
      mode: "train",
      samples,
    });
    if (answer.status === 200) acknowledged.add(batch);
    return outcomeOf(answer);
  }
  const weigh = async (): Promise<Outcome> =>
    outcomeOf(
      await post(service, "/v1/datasets/d/weights", { weighting: { signal: "loss", scheme: "rank" } }),
    );
  for (let batch = 0; batch < BATCHES; batch++) expect((await observe()).status).toBe(200);

  const outcomes: Outcome[] = [];
  let ended = false;
  const working = [observe, weigh].map(async (work) => {
    while (!ended) {
      const outcome = await work();
      outcomes.push(outcome);
      if (outcome.status !== 200) await delay(20);
    }
  });
  onTestFinished(async () => {
    ended = true;
    await Promise.all(working);
  });
  return { redis, admin, service, observe, weigh, outcomes, acknowledged };
}

const states: readonly [
  string,
  RegExp,
  begin: (work: Awaited<ReturnType<typeof atWork>>) => Promise<unknown>,
  end: (work: Awaited<ReturnType<typeof atWork>>) => Promise<unknown>,
][] = [
  [
    "that hangs",
    /has not answered|unanswered|connection to Redis was lost/,
    async ({ redis }) => redis.freeze(),
    async ({ redis }) => redis.thaw(),
  ],
  [
    "that is full",
    /has reached its maxmemory.*OOM/,
    ({ admin }) => admin.config("SET", "maxmemory", "1"),
    ({ admin }) => admin.config("SET", "maxmemory", "0"),
  ],
  [
    "that is a replica",
    /read-only replica.*READONLY/,
    ({ admin }) => admin.replicaof("127.0.0.1", 1),
    ({ admin }) => admin.replicaof("NO", "ONE"),
  ],
  [
    "that is gone for three seconds",
    /connection to Redis|no connection|ECONNREFUSED|ECONNRESET/i,
    ({ redis }) => redis.kill(),
    async ({ redis }) => {
      await delay(3000);
      await redis.start();
    },
  ],
];

describe.skipIf(!hasRedisServer())("observations and weighings on a Redis", () => {
  it.each(states)(
    "%s are refused in words, and go on by themselves afterwards",
    async (_, words, begin, end) => {
      const work = await atWork();
      const { service, observe, weigh, outcomes, acknowledged } = work;
      await until(async () => expect(outcomes.length).toBeGreaterThan(4));
      expect(outcomes.filter(({ status }) => status !== 200)).toEqual([]);
      await begin(work);
      const [observed, weighed] = await Promise.all(
        [observe, weigh].map(async (attempt) => {
          for (;;) {
            const outcome = await attempt();
            if (outcome.status !== 200) return outcome;
          }
        }),
      );
      for (const outcome of [observed, weighed])
        expect(outcome).toEqual({
          status: 503,
          code: "store_unavailable",
          detail: expect.stringMatching(words),
        });
      expect((await fetch(`${service.url}/readyz`)).status).toBe(503);
      expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
      await end(work);
      await until(async () => expect((await fetch(`${service.url}/readyz`)).status).toBe(200));
      await until(async () => expect((await observe()).status).toBe(200));
      await until(async () => expect((await weigh()).status).toBe(200));
      for (const { status, code } of outcomes)
        expect([`200 undefined`, `503 store_unavailable`]).toContain(`${status} ${code}`);
      const ids = [...acknowledged].flatMap((batch) => [`${batch}-0`, `${batch}-${BATCH - 1}`]);
      const { body } = await post(service, "/v1/datasets/d/lookup", { ids: ids.slice(-5000) });
      expect(body.results.filter((each: Json) => each === null)).toEqual([]);
      expect(service.process.exitCode).toBeNull();
    },
  );
});
