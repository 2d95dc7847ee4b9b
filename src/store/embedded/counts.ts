import { giveTurn } from "../../observe/turns.js";
import { storedNumbers } from "../codec/stored.js";
import { countOnce, type DatasetState, recount } from "../counted-once.js";
import type { DatasetEntry } from "./dataset-entry.js";
import type { Environment } from "./environment.js";
import { after } from "./sample-key.js";

/** Samples that are counted in one turn of the event loop. */
const CHUNK = 1000;

/**
 * The number of samples of each shape of a dataset. Version 1a1e855 kept no counts. If the entry has none, the samples are
 * counted, once for each state of the dataset.
 */
export function openCounts({
  samples,
}: Pick<Environment, "samples">): (entry: DatasetEntry) => Promise<readonly number[]> {
  async function count(incarnation: Buffer): Promise<readonly number[]> {
    const counts: number[] = [];
    const end = after(incarnation);
    for (let start: Buffer | null = incarnation; start !== null; ) {
      const chunk: { key: Buffer; value: Buffer }[] = [...samples.getRange({ start, end, limit: CHUNK })];
      for (const { value } of chunk) recount(counts, storedNumbers(value).shape, 1);
      const last = chunk.at(-1);
      start = chunk.length < CHUNK || last === undefined ? null : Buffer.concat([last.key, Buffer.of(0)]);
      await giveTurn();
    }
    return Array.from(counts, (each) => each ?? 0);
  }

  const counted = countOnce(({ entry }: CountedState) => count(entry.incarnation));
  return (entry) => {
    const incarnation = entry.incarnation.toString("hex");
    if (entry.counts === null) return counted.of({ entry, incarnation, updatedAtMs: entry.updatedAtMs });
    counted.forget(incarnation);
    return Promise.resolve(entry.counts);
  };
}

interface CountedState extends DatasetState {
  readonly entry: DatasetEntry;
}
