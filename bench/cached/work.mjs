// The two kinds of request, the records they find, and a check that both sides answer the same.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { randomFrom } from "../random.mjs";
import { keyOf } from "./bare-key.mjs";

const IDS_PER_REQUEST = 1000;
const SAMPLES_PER_REQUEST = 256;
const DATASET = "bench";
/** One id in a hundred is unknown. */
const UNKNOWN_EVERY = 100;

/** Look-ups of 1,000 random ids in a dataset of `count` samples with a snapshot. */
export async function lookUpWork(place, count) {
  const store = await place.open();
  const ids = Array.from(
    { length: count },
    (_, index) => `q${index % 9973}:p${String(index).padStart(6, "0")}`,
  );
  for (let at = 0; at < count; at += 1000) {
    const entries = ids.slice(at, at + 1000).map((id) => ({ id, record: recordOf(id) }));
    await store.writeSamples(DATASET, entries);
  }
  const weights = Float64Array.from(ids, (id) => figure(id, 8) / count);
  // Samples get their numbers in the order in which they are written.
  const incarnation = await lifeOf(store, DATASET);
  const provenance = { weighting: { signal: "loss", scheme: "proportional" } };
  await store.writeSnapshot(DATASET, { incarnation, weights, later: null }, provenance);
  await store.close();
  const random = randomFrom(1);
  const bodies = Array.from({ length: 64 }, () =>
    JSON.stringify({
      ids: Array.from({ length: IDS_PER_REQUEST }, (_, index) =>
        index % UNKNOWN_EVERY === 0 ? `unknown ${index}` : ids[Math.floor(random() * count)],
      ),
    }),
  );
  return {
    unit: "ids",
    itemsPerRequest: IDS_PER_REQUEST,
    bodies,
    oursPath: `/v1/datasets/${DATASET}/lookup`,
    barePath: "/lookup",
    prepare: async () => {},
    async check(sides) {
      const [ours, bare] = await answersOf(sides, bodies[0]);
      const same = ours.results.every((result, index) => {
        const other = bare.results[index];
        if (result === null || other === null) return result === other;
        // Our weights are float32 times the snapshot's exact factor, the bare side's are what is stored.
        const near = Math.abs(result.weight - other.weight) <= 1e-6 * other.weight;
        return near && ["id", "loss", "grad_norm_last"].every((field) => result[field] === other[field]);
      });
      if (!same) throw new Error("the two sides answer differently");
    },
  };
}

/** Batches of 256 samples whose outputs are in the store. */
export async function scoreWork(place) {
  const random = randomFrom(2);
  const pairs = readFileSync(new URL("../../test/fixtures/pairs.jsonl", import.meta.url), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const batches = Array.from({ length: 4 }, (_, batch) =>
    Array.from({ length: SAMPLES_PER_REQUEST }, (_, index) => {
      const { query, document, label } = pairs[Math.floor(random() * pairs.length)];
      return { id: `b${batch}:${index}`, query, document: `${document}, no. ${batch}-${index}`, label };
    }),
  );
  const bodies = batches.map((samples) => JSON.stringify({ samples }));
  return {
    unit: "samples",
    itemsPerRequest: SAMPLES_PER_REQUEST,
    bodies,
    oursPath: "/v1/score",
    barePath: "/score",
    /** Scores every batch once, then keeps the same outputs under the bare side's keys. */
    async prepare(ours) {
      const entries = [];
      for (const [batch, body] of bodies.entries()) {
        const { results } = await post(ours.port, "/v1/score", body);
        for (const [index, { logit, probability, grad_norm_last: norm }] of results.entries()) {
          const { label } = batches[batch][index];
          const featureNormSquared = (norm / Math.abs(probability - label)) ** 2 - 1;
          const record = {
            logits: Float32Array.of(logit),
            featureNormSquared,
            truncated: false,
          };
          entries.push({ key: keyOf(batches[batch][index]), record });
        }
      }
      const store = await place.open();
      await store.writeOutputs(entries);
      await store.close();
    },
    async check(sides) {
      const [ours, bare] = await answersOf(sides, bodies[0]);
      const close = (a, b) => Math.abs(a - b) <= 1e-5 * Math.max(Math.abs(a), 1e-3);
      const same = ours.results.every(
        (result, index) =>
          result.cached &&
          ["logit", "probability", "loss", "grad_norm_last", "weight"].every((field) =>
            close(result[field], bare.results[index][field]),
          ),
      );
      if (!same) throw new Error("the two sides answer differently");
    },
  };
}

async function answersOf({ ours, bare }, body) {
  return Promise.all([post(ours.server.port, ours.path, body), post(bare.server.port, bare.path, body)]);
}

async function post(port, path, body) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  if (response.status !== 200)
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/** The name of the dataset's life, as a scan gives it. */
async function lifeOf(store, dataset) {
  for await (const { incarnation } of store.scanSamples(dataset)) return incarnation;
  throw new Error(`${dataset} has no samples`);
}

function recordOf(id) {
  return {
    textDigest: createHash("sha256").update(id).digest().subarray(16, 22),
    precision: "fp32",
    source: null,
    observed: null,
    earlier: new Map(),
    outputsKey: createHash("sha256").update(id).digest().subarray(0, 16),
    model: "default@0123456789abcdef",
    loss: "bce",
    label: 1,
    group: null,
    directions: [],
    signals: new Map([
      ["loss", figure(id, 16)],
      ["grad_norm_last", figure(id, 20)],
    ]),
    scoredAtMs: 1_790_000_000_000,
  };
}

/** A number in [0, 2) with random bits, as losses have them. */
function figure(id, at) {
  return createHash("sha256").update(id).digest().readUInt32LE(at) / 2 ** 31;
}
