// The least code that reads the records of `src/store` as they lie: see codec/stored.ts, codec/sample.ts, codec/outputs.ts.
import { Redis } from "ioredis";
import { open } from "lmdb";

/** Readers over one of the stores: `samples(dataset, ids)`, `outputs(keys)`. */
export function readersOf({ directory, redisUrl }) {
  return redisUrl === undefined ? overLmdb(directory) : overRedis(new Redis(redisUrl));
}

function overLmdb(directory) {
  const root = open({ path: directory, noSubdir: false, overlappingSync: false, maxDbs: 12 });
  const table = (name, useVersions = false) =>
    root.openDB(name, { keyEncoding: "binary", encoding: "binary", useVersions });
  const [datasets, shapes, samples, columns, singletons] = [
    table("datasets", true),
    table("shapes"),
    table("samples"),
    table("columns"),
    table("singletons", true),
  ];
  const outputs = [table("outputs0"), table("outputs1")];
  const signals = []; // names of the shape with that number
  let weights = null; // of the newest snapshot, by sample number

  /** The weights of the newest snapshot, which are read once. */
  function weightsOf(incarnation, { column }) {
    if (weights !== null) return weights;
    const chunks = [];
    for (let chunk = 0; chunk * CHUNK < column.length; chunk++) {
      const key = Buffer.alloc(14);
      incarnation.copy(key);
      key.writeUInt32BE(column.id, 6);
      key.writeUInt32BE(chunk, 10);
      chunks.push(Buffer.from(columns.get(key)));
    }
    weights = floatsOf(Buffer.concat(chunks));
    return weights;
  }

  return {
    samples(dataset, ids) {
      const entry = JSON.parse(datasets.get(Buffer.from(dataset)).toString());
      const incarnation = Buffer.from(entry.incarnation, "hex");
      while (signals.length < entry.shapes) {
        const key = Buffer.alloc(10);
        incarnation.copy(key);
        key.writeUInt32BE(signals.length, 6);
        signals.push(JSON.parse(shapes.get(key).toString()).signals);
      }
      const weighed = weightsOf(incarnation, entry.snapshots.at(-1));
      return ids.map((id) => {
        const key = Buffer.allocUnsafe(6 + Buffer.byteLength(id));
        incarnation.copy(key);
        key.write(id, 6);
        const bytes = samples.getBinaryFast(key);
        return bytes === undefined ? null : decodeSample(bytes, id, signals, weighed);
      });
    },

    outputs(keys) {
      const { generation } = JSON.parse(singletons.get(Buffer.from("outputs_clock")).toString());
      const current = outputs[generation % 2];
      return keys.map((key) => decodeOutputs(current.getBinaryFast(key)));
    },
  };
}

// Both scripts do the same as ours at their core, one HGET a record: the layout in buckets rules out MGET.
const READ_SAMPLES = `
local incarnation = redis.call("HGET", KEYS[1], "incarnation")
local base = KEYS[1] .. ":" .. incarnation .. ":"
local found = {}
for index = 1, #ARGV, 2 do found[#found + 1] = redis.call("HGET", base .. ARGV[index], ARGV[index + 1]) end
return found`;
const READ_OUTPUTS = `
local base = KEYS[1] .. ":" .. redis.call("HGET", KEYS[1], "generation") .. ":"
local found = {}
for index = 1, #ARGV, 2 do found[#found + 1] = redis.call("HGET", base .. ARGV[index], ARGV[index + 1]) end
return found`;

async function overRedis(redis) {
  const samplesSha = await redis.script("LOAD", READ_SAMPLES);
  const outputsSha = await redis.script("LOAD", READ_OUTPUTS);
  let signals; // names of each shape, by its number
  let weights; // of the newest snapshot, by sample number

  async function readSignals(dataset) {
    const meta = `assay:{${dataset}}`;
    const numbers = await redis.hgetall(`${meta}:${await redis.hget(meta, "incarnation")}:shapes`);
    const names = [];
    for (const [text, number] of Object.entries(numbers)) names[number] = JSON.parse(text).signals;
    return names;
  }

  /** The weights of the newest snapshot. */
  async function readWeights(dataset) {
    const meta = `assay:{${dataset}}`;
    const base = `${meta}:${await redis.hget(meta, "incarnation")}`;
    const snapshot = await redis.hget(`${base}:snapshots`, await redis.hget(meta, "snapshot_version"));
    const { column } = JSON.parse(snapshot);
    const keys = Array.from(
      { length: Math.ceil(column.length / CHUNK) },
      (_, chunk) => `${base}:w:${column.id}:${chunk}`,
    );
    return floatsOf(Buffer.concat(await redis.mgetBuffer(keys)));
  }

  return {
    async samples(dataset, ids) {
      signals ??= await readSignals(dataset);
      weights ??= await readWeights(dataset);
      const args = [samplesSha, 1, `assay:{${dataset}}`];
      for (const id of ids) args.push(bucketOf(id), id);
      const found = await redis.callBuffer("EVALSHA", args);
      return ids.map((id, index) => {
        const bytes = found[index];
        return bytes === null ? null : decodeSample(bytes, id, signals, weights);
      });
    },

    async outputs(keys) {
      const args = [outputsSha, 1, "assay:outputs:{outputs}"];
      for (const key of keys) args.push(key.readUInt16BE(0), key);
      return (await redis.callBuffer("EVALSHA", args)).map(decodeOutputs);
    },
  };
}

/** {id, weight, loss, grad_norm_last}: those of the shape's signals. */
function decodeSample(bytes, id, signals, weights) {
  let at = 1;
  let number = bytes[at] & 127;
  for (let shift = 7; bytes[at++] > 127; shift += 7) number += (bytes[at] & 127) << shift;
  const answer = { id, weight: weights[number] };
  const names = signals[bytes[at++]];
  at = bytes.length - 4 * names.length;
  for (let index = 0; index < names.length; index++) answer[names[index]] = bytes.readFloatLE(at + 4 * index);
  return answer;
}

/** Weights in one value: see src/store/weight-columns.ts. */
const CHUNK = 4092;

function floatsOf(bytes) {
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readFloatLE(4 * index));
}

function decodeOutputs(bytes) {
  return { featureNormSquared: bytes.readFloatLE(1), logit: bytes.readFloatLE(5) };
}

function bucketOf(id) {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return ((hash >>> 16) ^ hash) & 0xffff;
}
