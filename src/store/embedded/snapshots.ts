import { LATER_MAX, weightScale, withWeight } from "../codec/stored.js";
import { datasetNotFound, type Lifetime } from "../lifetime.js";
import type { SnapshotStore } from "../port.js";
import { openWeighings, weighingOvertaken } from "../weighings.js";
import type { Change, CountedEntry, DatasetEntries } from "./dataset-entries.js";
import type { Environment } from "./environment.js";
import { sampleKey } from "./sample-key.js";

/** Most records that one transaction rewrites. */
const CHUNK = 1000;

/** Writes a snapshot chunk by chunk while readers still see the newest one, and then replaces that one. */
export function openSnapshots(
  { samples }: Pick<Environment, "samples">,
  datasets: DatasetEntries,
  { run }: Lifetime,
): SnapshotStore {
  const inTurn = openWeighings();

  const write: SnapshotStore["writeSnapshot"] = async (dataset, { ids, weights }, provenance) => {
    const taken = await datasets.change(dataset, (entry) => {
      if (entry === null) return null;
      const version = entry.snapshotVersionTaken + 1;
      return {
        entry: { ...entry, snapshotVersionTaken: version },
        write: () => {},
        result: { incarnation: entry.incarnation, version },
      };
    });
    if (taken === null) throw datasetNotFound(dataset);
    const { incarnation, version } = taken;
    /** One step of writing. Throws if later snapshots may have removed weights of this one. */
    async function step<T>(plan: (entry: CountedEntry) => Change<T>): Promise<T> {
      const done = await datasets.change(dataset, (entry) => {
        if (!entry?.incarnation.equals(incarnation)) return null;
        if (entry.snapshotVersionTaken - version >= LATER_MAX) throw weighingOvertaken(dataset);
        return plan(entry);
      });
      if (done === null) throw datasetNotFound(dataset);
      return done;
    }

    let weighed = 0;
    for (let start = 0; start < ids.length; start += CHUNK) {
      const chunk = ids.slice(start, start + CHUNK);
      weighed += await step((entry) => {
        const published = entry.snapshot?.version ?? 0;
        const puts = chunk.flatMap((id, index) => {
          const key = sampleKey(entry, id);
          const old = samples.getBinaryFast(key);
          if (old === undefined) return [];
          const added = { version, weight: weights[start + index] as number };
          return [{ key, value: withWeight(old, published, added) }];
        });
        return {
          entry,
          write: () => {
            for (const { key, value } of puts) samples.put(key, value);
          },
          result: puts.length,
        };
      });
    }
    const info = { version, createdAtMs: Date.now(), samples: weighed, provenance };
    return step((entry) => {
      const newest = (entry.snapshot?.version ?? 0) < version;
      const snapshot = { ...info, weightScale: weightScale(weights) };
      return { entry: newest ? { ...entry, snapshot } : entry, write: () => {}, result: info };
    });
  };

  return {
    writeSnapshot: (dataset, weights, provenance) =>
      run(() => inTurn(dataset, () => write(dataset, weights, provenance))),
  };
}
