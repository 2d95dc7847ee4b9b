import { shapeNumber } from "../codec/stored.js";
import { countOnce, type DatasetState, recount } from "../counted-once.js";
import type { Connection } from "./connection.js";
import { datasetKey, incarnationKey, usedBuckets } from "./keys.js";
import { READ_BUCKETS, WRITE_COUNTS } from "./scripts.js";

/** Buckets that one script reads. */
const BUCKETS_PER_CHUNK = 200;

interface RedisState extends DatasetState {
  readonly dataset: string;
}

/**
 * Counts the samples of each shape where nobody has, for 1a1e855 did not, and keeps them: the scripts carry them on from
 * there. Counts once for each state of the dataset.
 */
export function openCounts(
  connection: Connection,
  prefix: string,
): (state: RedisState) => Promise<readonly number[]> {
  async function count({ dataset, incarnation, updatedAtMs }: RedisState): Promise<readonly number[]> {
    const used = (await connection.send("GET", [
      incarnationKey(prefix, dataset, incarnation, "used"),
    ])) as Buffer | null;
    const buckets = used === null ? [] : usedBuckets(used);
    const counts: number[] = [];
    for (let first = 0; first < buckets.length; first += BUCKETS_PER_CHUNK) {
      const chunk = buckets.slice(first, first + BUCKETS_PER_CHUNK);
      const found = await connection.run(READ_BUCKETS, datasetKey(prefix, dataset), [incarnation, ...chunk]);
      const [, ...parts] = found as [number, ...Buffer[]];
      for (let index = 1; index < parts.length; index += 2) {
        recount(counts, shapeNumber(parts[index] as Buffer), 1);
      }
    }
    const args = [...counts.entries()].flatMap(([shape, samples]) => [shape, samples ?? 0]);
    // A Redis that takes no writes is asked again for the next state.
    await connection
      .run(WRITE_COUNTS, datasetKey(prefix, dataset), [incarnation, updatedAtMs, ...args])
      .catch(() => undefined);
    return counts;
  }

  return countOnce(count).of;
}

/** Shapes and their samples by turns. */
export function countsOf(flat: readonly Buffer[]): number[] {
  const counts: number[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2)
    counts[Number(flat[index]?.toString())] = Number(flat[index + 1]?.toString());
  return counts;
}
