import type { Lifetime } from "../lifetime.js";
import {
  chunkParts,
  isOfFirstLayout,
  rewriteSamples,
  UPGRADE_STEP,
  type UpgradableStore,
  type UpgradeOptions,
  upgradeFormat,
  withColumn,
} from "../upgrade.js";
import { chunkCount } from "../weight-columns.js";
import { columnKey } from "./column-key.js";
import type { CountedEntry, DatasetEntries } from "./dataset-entries.js";
import { newestSnapshot } from "./dataset-entry.js";
import type { Environment } from "./environment.js";
import { after } from "./sample-key.js";

/** The column of the weights that stood in the samples. */
const COLUMN = 1;
/** Datasets whose names are read at once. */
const PAGE = 100;

/** Rewrites the samples of version 1a1e855: each step gives numbers to some samples and moves their weights into a column. */
export function openUpgrade(
  environment: Environment,
  directory: string,
  datasets: DatasetEntries,
  { run }: Lifetime,
): UpgradableStore {
  const { samples, columns } = environment;

  async function rewrite(dataset: string, { digestGroup, onProgress }: UpgradeOptions): Promise<number> {
    let rewritten = 0;
    let from: Buffer | null = datasets.read(dataset)?.incarnation ?? null;
    while (from !== null) {
      const start: Buffer = from;
      const step = await datasets.change(dataset, (entry) => {
        if (entry === null) return null;
        const { incarnation, numbers } = entry;
        const range = { start, end: after(incarnation), limit: UPGRADE_STEP };
        const found = [...samples.getRange(range)];
        const last = found.at(-1)?.key;
        const olds = found.filter(({ value }) => isOfFirstLayout(value));
        const snapshot = newestSnapshot(entry);
        const { values, weights } = rewriteSamples(
          olds.map(({ value }) => value),
          datasets.shapes(entry),
          snapshot,
          numbers,
          digestGroup,
        );
        const puts = snapshot === null ? [] : chunkPuts(entry, weights);
        return {
          entry: { ...entry, numbers: numbers + olds.length },
          write: () => {
            for (const [index, { key }] of olds.entries()) samples.put(key, values[index] as Buffer);
            for (const { key, value } of puts) columns.put(key, value);
          },
          result: {
            next: last === undefined ? null : Buffer.concat([last, Buffer.of(0)]),
            olds: olds.length,
          },
        };
      });
      rewritten += step?.olds ?? 0;
      from = step?.next ?? null;
      onProgress(dataset, rewritten);
    }
    await datasets.change(dataset, (entry) => entry && finish(entry));
    return rewritten;
  }

  function chunkPuts(entry: CountedEntry, weights: Buffer): { key: Buffer; value: Buffer }[] {
    return chunkParts(entry.numbers, weights).map(({ chunk, at, bytes }) => {
      const key = columnKey(entry, COLUMN, chunk);
      const kept = columns.get(key) ?? Buffer.alloc(0);
      return { key, value: Buffer.concat([kept.subarray(0, at), bytes]) };
    });
  }

  function finish(entry: CountedEntry) {
    const snapshots = entry.snapshots.map((snapshot) => {
      if (snapshot.column !== undefined) return snapshot;
      const chunks = Array.from(
        { length: chunkCount(entry.numbers) },
        (_, chunk) => columns.get(columnKey(entry, COLUMN, chunk)) ?? Buffer.alloc(0),
      );
      return withColumn(snapshot, COLUMN, entry.numbers, chunks);
    });
    return { entry: { ...entry, snapshots, columns: COLUMN }, write: () => {}, result: true };
  }

  return {
    upgrade: (options) =>
      run(() =>
        upgradeFormat(
          { read: () => environment.format(), set: (format) => environment.setFormat(format) },
          `the data directory ${directory}`,
          async () => {
            const report = { datasets: 0, samples: 0 };
            for (let after: string | null = null; ; ) {
              const page = datasets.list(after, PAGE);
              for (const { dataset } of page) {
                report.samples += await rewrite(dataset, options);
                report.datasets++;
              }
              after = page.at(-1)?.dataset ?? null;
              if (after === null) return report;
            }
          },
        ),
      ),
  };
}
