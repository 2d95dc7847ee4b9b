// Writes of many new samples through the store's port, in turns with the least code that keeps the same bytes under the same keys:
// a pipeline of HSET, and a loop of put. The bare sides get their values packed before, and keep no counts, numbers, shapes or index.
//   npm run build && node bench/bulk-writes.mjs [--samples 40000] [--rounds 7]      (needs redis-server)
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { open } from "lmdb";
import { encodeSample } from "../dist/store/codec/sample.js";
import { encodeStored } from "../dist/store/codec/stored.js";
import { SignalRow } from "../dist/store/dataset-records.js";
import { bucketOf } from "../dist/store/redis/keys.js";
import { cpuMs, makePlace } from "./cached/places.mjs";
import { interleave, spreadOf } from "./rounds.mjs";

const { values: flags } = parseArgs({
  options: {
    samples: { type: "string", default: "40000" },
    rounds: { type: "string", default: "7" },
  },
});
const SAMPLES = Number(flags.samples);
const ROUNDS = Number(flags.rounds);
const BATCH = 1000;
const SIGNALS = ["loss", "grad_norm_last"];
const INCARNATION = Buffer.from("bare!!");

for (const kind of ["lmdb", "redis"]) {
  const place = await makePlace(kind, "dist");
  const bare = await makePlace(kind, "dist");
  const store = await place.open();
  const side =
    kind === "lmdb" ? openBareLmdb(bare.location.directory) : openBareRedis(bare.location.redisUrl);
  try {
    await compare(kind, {
      port: { pid: place.pid, prepare: entryOf, write: (batch) => store.writeSamples("d", batch) },
      bare: { pid: bare.pid, prepare: packedOf, write: (batch) => side.write(batch) },
    });
  } finally {
    await store.close();
    await side.close();
    await place.remove();
    await bare.remove();
  }
}

async function compare(kind, contenders) {
  const cpu = { port: [], bare: [] };
  const contender = (name) => async (round) => {
    const { pid, prepare, write } = contenders[name];
    const items = Array.from({ length: SAMPLES }, (_, index) => prepare(round * SAMPLES + index));
    const usedMs = () =>
      process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000 + (pid ? cpuMs(pid) : 0);
    const [startedAtMs, beforeMs] = [performance.now(), usedMs()];
    for (let start = 0; start < SAMPLES; start += BATCH) await write(items.slice(start, start + BATCH));
    const rate = (1000 * SAMPLES) / (performance.now() - startedAtMs);
    if (round > 0) cpu[name].push((1000 * SAMPLES) / (usedMs() - beforeMs));
    return rate;
  };
  const clock = await interleave(ROUNDS, { port: contender("port"), bare: contender("bare") });
  print(`${kind}, samples a second`, clock);
  print(`${kind}, samples a second of processor time, client and server together`, cpu);
}

function print(what, { port, bare }) {
  const text = (values, digits) => {
    const { median, min, max } = spreadOf(values);
    return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
  };
  const ratios = port.map((rate, round) => rate / bare[round]);
  console.log(`${what}: port ${text(port, 0)}, bare ${text(bare, 0)}, ratio ${text(ratios, 2)}`);
}

/** @param index of all samples of a side: the value is that of the port's sample of the same index */
function packedOf(index) {
  const { id, record } = entryOf(index);
  return { id, value: encodeStored(index, 0, encodeSample(record, SIGNALS)) };
}

/** LMDB as the store opens it: a batch is on disk when its promise resolves. */
function openBareLmdb(directory) {
  const root = open({
    path: directory,
    noSubdir: false,
    overlappingSync: false,
    eventTurnBatching: false,
    maxDbs: 4,
  });
  const samples = root.openDB("samples", { keyEncoding: "binary", encoding: "binary" });
  return {
    write: (batch) =>
      samples.batch(() => {
        for (const { id, value } of batch) samples.put(Buffer.concat([INCARNATION, Buffer.from(id)]), value);
      }),
    close: () => root.close(),
  };
}

function openBareRedis(url) {
  const redis = new Redis(url);
  return {
    async write(batch) {
      const pipeline = redis.pipeline();
      for (const { id, value } of batch) pipeline.hset(`bare:{d}:x:${bucketOf(id)}`, id, value);
      for (const [error] of await pipeline.exec()) if (error !== null) throw error;
    },
    close: async () => void (await redis.quit()),
  };
}

function entryOf(index) {
  const noise = (Math.imul(index + 1, 0x9e3779b1) >>> 0) / 2 ** 32;
  const bytes = Buffer.alloc(22);
  bytes.writeUInt32LE(index);
  return {
    id: `q${Math.floor(index / 20)}:p${String(index).padStart(7, "0")}`,
    record: {
      outputsKey: bytes.subarray(0, 16),
      textDigest: bytes.subarray(16),
      model: "default@0123456789ab",
      precision: "fp32",
      loss: "bce",
      directions: [],
      source: null,
      observed: null,
      earlier: new Map(),
      label: index % 2,
      group: null,
      signals: new SignalRow(SIGNALS, [noise, 3 * noise]),
      scoredAtMs: 1_790_000_000_000,
    },
  };
}
