import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import type { Store } from "../../src/store/port.js";
import { openRedisStore } from "../../src/store/redis/store.js";
import { temporaryFolder } from "../support/app.js";
import { LONG } from "../support/load.js";
import { type Json, post } from "../support/post.js";
import { hasRedisServer, startRedis } from "../support/redis.js";
import { type Service, startService } from "../support/service.js";
import { until } from "../support/until.js";

const ROUNDS = Number(process.env.ASSAY_TEST_ROUNDS ?? (LONG ? 50 : 2));
const BATCH = 200;
/** Batches that are sent at once. */
const WRITERS = 2;

/** Time between two batches of a writer, so that fifty rounds do not make a dataset that takes minutes to weigh. */
const PACE_MS = 25;

/** What the service has acknowledged. */
interface Acknowledged {
  readonly batches: Set<number>;
  /** Newest version of a snapshot. */
  version: number;
  /** The next batch. A number is never sent twice. */
  next: number;
}

const idsOf = (batch: number): string[] => Array.from({ length: BATCH }, (_, index) => `${batch}-${index}`);
const logitOf = (batch: number): number => (batch % 8) - 3.5;

function observation(batch: number): object {
  const samples = idsOf(batch).map((id) => ({ id, label: batch % 2, logits: logitOf(batch) }));
  return { checkpoint: { name: "epoch-1", step: 1 }, loss: "bce", mode: "train", samples };
}

/** Sends batches and weighs, again and again, until it is told to end. Notes what is acknowledged, and what is refused by its code. */
function bulkLoad(service: Service, acknowledged: Acknowledged, refusals: Map<string, number>) {
  let ended = false;
  async function attempt(path: string, body: object): Promise<Json | null> {
    const answer = await post(service, path, body).catch(() => null); // the service was killed
    if (answer === null || answer.status === 200) return answer?.body ?? null;
    const refusal = `${answer.status} ${answer.body.code}`;
    refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1);
    await delay(5);
    return null;
  }
  async function write(): Promise<void> {
    while (!ended) {
      const batch = acknowledged.next++;
      if ((await attempt("/v1/datasets/d/observations", observation(batch))) !== null)
        acknowledged.batches.add(batch);
      await delay(PACE_MS);
    }
  }
  async function weigh(): Promise<void> {
    while (!ended && acknowledged.batches.size === 0) await delay(10); // there is no dataset yet
    while (!ended) {
      const weighting = { signal: "loss", scheme: "rank" };
      const answer = await attempt("/v1/datasets/d/weights", { weighting });
      if (answer !== null) acknowledged.version = Math.max(acknowledged.version, answer.snapshot.version);
    }
  }
  const working = Promise.all([...Array.from({ length: WRITERS }, write), weigh()]);
  return {
    async end(): Promise<void> {
      ended = true;
      await working;
    },
  };
}

/** Every acknowledged batch is there, every batch is there whole or not at all, counts are right, and the newest snapshot is whole. */
async function expectWhole(store: Store, { batches, version, next }: Acknowledged): Promise<void> {
  const summary = await store.readDataset("d");
  const newest = summary?.snapshot ?? null;
  const seen = new Map<number, number>();
  let [mislabelled, weighed, weightSum] = [0, 0, 0];
  for await (const chunk of store.scanSamples("d", newest?.version)) {
    for (let row = 0; row < chunk.count; row++) {
      const batch = Number(chunk.id(row).split("-")[0]);
      if (chunk.label(row) !== batch % 2) mislabelled++;
      seen.set(batch, (seen.get(batch) ?? 0) + 1);
      const weight = chunk.weights[row] as number;
      if (Number.isNaN(weight)) continue;
      weighed++;
      weightSum += weight;
    }
  }
  expect(mislabelled).toBe(0);
  expect([...batches].filter((batch) => !seen.has(batch))).toEqual([]);
  expect([...seen].filter(([batch, count]) => count !== BATCH || batch >= next)).toEqual([]);
  const samples = seen.size * BATCH;
  expect(summary?.samples).toBe(samples);
  expect([...(summary?.samplesByModel.values() ?? [])]).toEqual([samples]);

  const last = Math.max(...seen.keys());
  const histories = await store.readHistories("d", idsOf(last));
  for (const history of histories?.histories ?? []) expect(history?.logits).toEqual([logitOf(last)]);

  expect(newest?.version ?? 0).toBeGreaterThanOrEqual(version);
  if (newest === null) return;
  expect(weighed).toBe(newest.samples);
  expect(weightSum).toBeCloseTo(newest.weightSum ?? Number.NaN, 5);
}

/** Waits until a further batch and a further snapshot are acknowledged. */
async function untilBoth(acknowledged: Acknowledged): Promise<void> {
  const { version, batches } = acknowledged;
  const { size } = batches;
  await until(async () => {
    expect(batches.size).toBeGreaterThan(size);
    expect(acknowledged.version).toBeGreaterThan(version);
  });
}

const NO_MODEL = { ASSAY_DEFAULT_MODEL: "none" };
const WINDOW_MS = 300;

describe(`after ${ROUNDS} kills during bulk load and weighing`, () => {
  it("of the service, nothing acknowledged is missing and nothing is half-written", {
    timeout: 60_000 * ROUNDS,
  }, async () => {
    const dataDir = temporaryFolder();
    const acknowledged: Acknowledged = { batches: new Set(), version: 0, next: 0 };
    const refusals = new Map<string, number>();
    for (let round = 0; round < ROUNDS; round++) {
      const service = await startService({ dataDir, env: NO_MODEL, until: "listening" });
      const load = bulkLoad(service, acknowledged, refusals);
      await untilBoth(acknowledged);
      await delay(WINDOW_MS * Math.random());
      await service.stop("SIGKILL");
      await load.end();
      const store = await openEmbeddedStore({ directory: dataDir });
      await expectWhole(store, acknowledged);
      await store.close();
    }
    console.log(
      `kills of the service: ${acknowledged.batches.size} batches, ${acknowledged.version} snapshots`,
    );
    expect([...refusals]).toEqual([]);
    expect(acknowledged.version).toBeGreaterThan(0);
  });

  it.skipIf(!hasRedisServer())(
    "of Redis, nothing acknowledged is missing, and the service goes on by itself",
    { timeout: 60_000 * ROUNDS },
    async () => {
      const redis = await startRedis(DURABLE);
      onTestFinished(() => redis.remove());
      const url = `redis://127.0.0.1:${redis.port}`;
      const env = { ...NO_MODEL, ASSAY_REDIS_URL: url };
      const service = await startService({ env, until: "listening" });
      const acknowledged: Acknowledged = { batches: new Set(), version: 0, next: 0 };
      const refusals = new Map<string, number>();
      for (let round = 0; round < ROUNDS; round++) {
        const load = bulkLoad(service, acknowledged, refusals);
        await untilBoth(acknowledged);
        await delay(WINDOW_MS * Math.random());
        await redis.kill();
        await delay(50 * Math.random());
        await redis.start();
        await load.end();
        const store = openRedisStore({ url });
        await store.tried();
        // A command that the service gave up waiting for may run after its request was refused, so a batch may arrive while this looks.
        await until(() => expectWhole(store, acknowledged));
        await store.close();
        await until(async () => expect((await fetch(`${service.url}/readyz`)).status).toBe(200));
      }
      console.log(
        `kills of Redis: ${acknowledged.batches.size} batches, ${acknowledged.version} snapshots, refused ${JSON.stringify([...refusals])}`,
      );
      expect(service.process.exitCode).toBeNull();
      expect([...refusals.keys()].filter((each) => each !== "503 store_unavailable")).toEqual([]);
      expect(acknowledged.version).toBeGreaterThan(0);
    },
  );
});

const DURABLE = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"];
