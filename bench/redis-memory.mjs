// Redis memory of a sample, all included: its outputs, its record and its weight in a snapshot. And of its history by checkpoints.
//   npm run build && node bench/redis-memory.mjs [samples…]      (needs redis-server; default 200000 1000000)
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { HISTORY_RULES } from "../dist/scoring/datasets/keep.js";
import { openRedisStore } from "../dist/store/redis/store.js";

/** Far above what a million samples take: a run that leaks fails, and leaves the machine its memory. */
const MAXMEMORY = "1500mb";
const BATCH = 1000;
/** Samples with histories. */
const HISTORIES = 20_000;
const sizes = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [200_000, 1_000_000];

console.log("samples    bytes/sample   outputs   samples   snapshot 1   snapshot 2   again   seconds");
for (const samples of sizes) await onRedis((store, admin) => measure(samples, store, admin));
for (const classes of [1, 2])
  await onRedis((store, admin) => measureHistories(HISTORIES, classes, store, admin));

/** Calls `work` with a store on a Redis of its own. */
async function onRedis(work) {
  const port = await freePort();
  const settings = { port, bind: "127.0.0.1", save: "", appendonly: "no", maxmemory: MAXMEMORY };
  const server = spawn(
    "redis-server",
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    { stdio: "ignore" },
  );
  const admin = new Redis(port, "127.0.0.1").on("error", () => {}); // refused until the server listens
  await new Promise((resolve) => admin.once("ready", resolve));
  const store = openRedisStore({ url: `redis://127.0.0.1:${port}`, timeoutMs: 60_000 });
  try {
    await work(store, admin);
  } finally {
    await store.close();
    admin.disconnect();
    server.kill();
    await once(server, "exit");
  }
}

/** Bytes of a history by its number of checkpoints. The signals of histories are left out: they are part of a sample's record. */
async function measureHistories(samples, classes, store, admin) {
  const usedBytes = async () => Number(/used_memory:(\d+)/.exec(await admin.info("memory"))[1]);
  const ids = Array.from({ length: samples }, (_, index) => `q${index % 997}:p${index}`);
  const write = async (step) => {
    const checkpoint = step === null ? null : { name: `epoch-${step}`, step };
    const rules = { ...HISTORY_RULES, withSignals: (each) => each, checkpoint };
    for (let at = 0; at < samples; at += BATCH) {
      const entries = ids.slice(at, at + BATCH).map((id) => ({
        id,
        record: record(id, 1_790_000_000_000),
        logits: Array.from({ length: classes }, (_, k) => 4 * hash(`${id} ${step} ${k}`)),
      }));
      await store.writeSamples("d", entries, (_, fresh) => fresh, rules);
    }
    return (await settled(usedBytes)) / samples;
  };
  const without = await write(null);
  const found = [];
  for (let step = 1; step <= 24; step++) {
    const bytes = (await write(step)) - without;
    if ([1, 5, 16, 17, 24].includes(step)) found.push(`${bytes.toFixed(1)} with ${step}`);
  }
  console.log(
    `history of ${classes} logit(s), ${samples} samples, in bytes by checkpoints: ${found.join(", ")}`,
  );
}

async function measure(samples, store, admin) {
  await store.digestKey();
  const usedBytes = async () => Number(/used_memory:(\d+)/.exec(await admin.info("memory"))[1]);
  const start = await usedBytes();
  const startedAtMs = Date.now();
  const ids = Array.from(
    { length: samples },
    (_, index) => `q${index % 9973}:p${String(index).padStart(6, "0")}`,
  );
  const steps = [start];
  const inBatches = async (work) => {
    for (let at = 0; at < samples; at += BATCH) await work(ids.slice(at, at + BATCH));
    steps.push(await settled(usedBytes));
  };
  const score = (scoredAtMs) => (batch) =>
    store.writeSamples(
      "search-2026-11",
      batch.map((id) => ({ id, record: record(id, scoredAtMs) })),
    );
  await inBatches((batch) =>
    store.writeOutputs(
      batch.map((id) => ({
        key: keyOf(id),
        record: {
          logits: Float32Array.of(hash(id)),
          featureNormSquared: 9,
          truncated: false,
        },
      })),
    ),
  );
  await inBatches(score(1_790_000_000_000));
  for (const version of [1, 2]) {
    const weights = Float64Array.from(ids, (id) => Math.abs(hash(id)) / version);
    // Samples get their numbers in the order in which they are written.
    await store.writeSnapshot(
      "search-2026-11",
      { incarnation: await lifeOf(store), weights, later: null },
      { scheme: "proportional" },
    );
    steps.push(await settled(usedBytes));
  }
  await inBatches(score(1_790_000_100_000)); // an epoch later
  const each = steps.slice(1).map((bytes, index) => (bytes - steps[index]) / samples);
  const [outputs, first, snapshot] = each;
  const columns = [outputs + first + snapshot, ...each].map((value) => value.toFixed(1).padStart(10));
  console.log(
    String(samples).padEnd(9),
    ...columns,
    ((Date.now() - startedAtMs) / 1000).toFixed(0).padStart(8),
  );
  const longest = ids.reduce((most, id) => Math.max(most, id.length), 0);
  console.log(
    `          ids of ${ids[0].length} to ${longest} bytes, ${(await store.readDataset("search-2026-11")).samples} samples counted`,
  );
}

/** The name of the dataset's life, as a scan gives it. */
async function lifeOf(store) {
  for await (const { incarnation } of store.scanSamples("search-2026-11")) return incarnation;
  throw new Error("there are no samples");
}

function record(id, scoredAtMs) {
  const signals = new Map([
    ["loss", Math.abs(hash(id))],
    ["grad_norm_last", hash(id) ** 2],
  ]);
  return {
    outputsKey: keyOf(id),
    textDigest: keyOf(id).subarray(0, 6),
    precision: "fp32",
    source: null,
    observed: null,
    earlier: new Map(),
    model: "default@0123456789ab",
    loss: "bce",
    label: 1,
    group: null,
    directions: [],
    signals,
    scoredAtMs,
  };
}

function keyOf(id) {
  return createHash("sha256").update(id).digest().subarray(0, 16);
}

/** A number in [-1, 1) with random bits, as logits and losses have them. */
function hash(id) {
  return createHash("sha256").update(id).digest().readInt32LE(16) / 2 ** 31;
}

/** A port that nobody listens on. */
async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

/** Redis resizes its tables a little at a time: wait until its memory stands still. */
async function settled(usedBytes) {
  let before = await usedBytes();
  for (;;) {
    await sleep(300);
    const now = await usedBytes();
    if (Math.abs(now - before) < 50_000) return now;
    before = now;
  }
}
