import { storedNumbers } from "../codec/stored.js";
import { countOnce, type DatasetState, recount } from "../counted-once.js";
import type { Connection } from "./connection.js";
import { datasetKey, incarnationKey, usedBuckets } from "./keys.js";
import { READ_BUCKETS, WRITE_COUNTS } from "./scripts.js";

/** Number of buckets that one script reads. */
const BUCKETS_PER_CHUNK = 200;

interface RedisState extends DatasetState {
  readonly dataset: string;
}

/**
 * Counts the samples of each shape of a dataset that has no counts, because version 1a1e855 kept none. Keeps the counts in Redis,
 * and the scripts update them from then on. Counts once for each state of the dataset.
 */
export function openCounts(
  connection: Connection,
  prefix: string,
): (state: RedisState) => Promise<readonly number[]> {
  async function count({ dataset, incarnation, updatedAtMs }: RedisState): Promise<readonly number[]> {
    const used = incarnationKey(prefix, dataset, incarnation, "used");
    const buckets = await connection.send("GET", [used], usedBuckets);
    const counts: number[] = [];
    for (let first = 0; first < buckets.length; first += BUCKETS_PER_CHUNK) {
      const chunk = buckets.slice(first, first + BUCKETS_PER_CHUNK);
      const found = await connection.run(READ_BUCKETS, datasetKey(prefix, dataset), [incarnation, ...chunk]);
      for (const [, stored] of found.samples) recount(counts, storedNumbers(stored).shape, 1);
    }
    const args = [...counts.entries()].flatMap(([shape, samples]) => [shape, samples ?? 0]);
    // If Redis accepts no writes, the counts of the dataset's next state are tried again.
    await connection
      .run(WRITE_COUNTS, datasetKey(prefix, dataset), [incarnation, updatedAtMs, ...args])
      .catch(() => undefined);
    return counts;
  }

  return countOnce(count).of;
}
