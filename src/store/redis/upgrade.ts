import { AssayError } from "../../errors.js";
import { datasetNotFound, type Lifetime } from "../lifetime.js";
import {
  chunkParts,
  isOfFirstLayout,
  rewriteSamples,
  type UpgradableStore,
  type UpgradeOptions,
  upgradeFormat,
  withColumn,
} from "../upgrade.js";
import { chunkCount } from "../weight-columns.js";
import { type Connection, defineScript } from "./connection.js";
import type { DatasetKeys } from "./datasets.js";
import type { Format } from "./format.js";
import { datasetKey, incarnationKey, usedBuckets } from "./keys.js";
import { bytes, listOf, number, orNull } from "./reply.js";
import { READ_BUCKETS, READ_DATASET } from "./scripts.js";

/** The column of the weights that stood in the samples. */
const COLUMN = 1;
const BUCKETS_PER_STEP = 100;

/**
 * ARGV: incarnation, the numbers given before and after, the number of samples; then bucket, id and value of each sample; then chunk,
 * offset and bytes of each part of the column. Answers 0 if other numbers were given before.
 */
const REWRITE_SAMPLES = defineScript(
  orNull(number),
  `
local meta = KEYS[1]
if redis.call("HGET", meta, "incarnation") ~= ARGV[1] then return false end
if (redis.call("HGET", meta, "numbers") or "0") ~= ARGV[2] then return 0 end
local base = meta .. ":" .. ARGV[1] .. ":"
local parts = 5 + 3 * ARGV[4]
redis.call("HSET", meta, "numbers", ARGV[3])
for index = 5, parts - 1, 3 do redis.call("HSET", base .. ARGV[index], ARGV[index + 1], ARGV[index + 2]) end
for index = parts, #ARGV, 3 do
  redis.call("SETRANGE", base .. "w:${COLUMN}:" .. ARGV[index], ARGV[index + 1], ARGV[index + 2])
end
return 1
`,
);

/** ARGV: incarnation, version of the snapshot, the snapshot as JSON, the number of its chunks. */
const MOVE_SNAPSHOT = defineScript(
  orNull(number),
  `
local meta = KEYS[1]
if redis.call("HGET", meta, "incarnation") ~= ARGV[1] then return false end
local base = meta .. ":" .. ARGV[1] .. ":"
redis.call("HSET", base .. "snapshots", ARGV[2], ARGV[3])
redis.call("HSET", base .. "columns", ${COLUMN}, ARGV[4] .. " published")
redis.call("HSET", meta, "columns", ${COLUMN})
redis.call("HDEL", meta, "snapshot")
return 1
`,
);

/** Rewrites the samples of version 1a1e855: each step gives numbers to some samples and moves their weights into a column. */
export function openUpgrade(
  connection: Connection,
  prefix: string,
  { datasets, format }: { readonly datasets: DatasetKeys; readonly format: Format },
  { run }: Lifetime,
): UpgradableStore {
  async function rewrite(dataset: string, { digestGroup, onProgress }: UpgradeOptions): Promise<number> {
    const key = datasetKey(prefix, dataset);
    const found = await connection.run(READ_DATASET, key, []);
    if (found === null) return 0;
    const incarnation = found.fields.get("incarnation") ?? "";
    const part = (name: string): string => incarnationKey(prefix, dataset, incarnation, name);
    const shapes = (await datasets.shapes(dataset, incarnation, found.shapes.size)) ?? [];
    const snapshot = found.snapshots.at(-1) ?? null;
    const buckets = await connection.send("GET", [part("used")], usedBuckets);
    let numbers = Number(found.fields.get("numbers") ?? 0);
    let rewritten = 0;
    for (let first = 0; first < buckets.length; first += BUCKETS_PER_STEP) {
      const step = buckets.slice(first, first + BUCKETS_PER_STEP);
      const olds: { bucket: number; id: Buffer; value: Buffer }[] = [];
      // Bucket by bucket, because an answer does not name the bucket of a sample.
      for (const bucket of step) {
        const { samples } = await connection.run(READ_BUCKETS, key, [incarnation, bucket]);
        for (const [id, value] of samples) if (isOfFirstLayout(value)) olds.push({ bucket, id, value });
      }
      const { values, weights } = rewriteSamples(
        olds.map(({ value }) => value),
        shapes,
        snapshot,
        numbers,
        digestGroup,
      );
      const parts = snapshot === null ? [] : chunkParts(numbers, weights);
      const done = await connection.run(REWRITE_SAMPLES, key, [
        incarnation,
        numbers,
        numbers + olds.length,
        olds.length,
        ...olds.flatMap(({ bucket, id }, index) => [bucket, id, values[index] as Buffer]),
        ...parts.flatMap(({ chunk, at, bytes }) => [chunk, at, bytes]),
      ]);
      if (done === null) throw datasetNotFound(dataset);
      if (done === 0)
        throw new AssayError("store_outdated", {
          detail: `Another upgrade of dataset ${JSON.stringify(dataset)} is running: wait for it`,
        });
      numbers += olds.length;
      rewritten += olds.length;
      onProgress(dataset, rewritten);
    }
    if (snapshot !== null && snapshot.column === undefined) {
      const count = chunkCount(numbers);
      const names = Array.from({ length: count }, (_, chunk) => part(`w:${COLUMN}:${chunk}`));
      const chunks = count === 0 ? [] : await connection.send("MGET", names, listOf(orNull(bytes)));
      const moved = withColumn(
        snapshot,
        COLUMN,
        numbers,
        chunks.flatMap((chunk) => chunk ?? []),
      );
      const json = JSON.stringify(moved);
      await connection.run(MOVE_SNAPSHOT, key, [incarnation, snapshot.version, json, count]);
    }
    return rewritten;
  }

  return {
    upgrade: (options) =>
      run(() =>
        upgradeFormat(format, `the Redis store with the prefix ${JSON.stringify(prefix)}`, async () => {
          const report = { datasets: 0, samples: 0 };
          for (let cursor: string | null = null; ; ) {
            const page = await datasets.summaries.listDatasets(cursor, 100);
            for (const { dataset } of page.items) {
              report.samples += await rewrite(dataset, options);
              report.datasets++;
            }
            cursor = page.cursor;
            if (cursor === null) return report;
          }
        }),
      ),
  };
}
