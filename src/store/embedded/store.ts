import { readOnlyNotice } from "../format.js";
import { startLifetime } from "../lifetime.js";
import { OUTPUTS_BYTES_MAX, OUTPUTS_TTL_MS, type StoreOptions } from "../options.js";
import type { Store } from "../port.js";
import type { UpgradableStore } from "../upgrade.js";
import { openWeightColumns } from "../weight-columns.js";
import { openDatasetEntries } from "./dataset-entries.js";
import { openDatasets } from "./datasets.js";
import { openDigestKey } from "./digest-key.js";
import { openDirections } from "./directions.js";
import { explain } from "./disk.js";
import { openEmbeddings } from "./embeddings.js";
import { openEnvironment } from "./environment.js";
import { openKeptIds } from "./kept-ids.js";
import { openOutputs } from "./outputs.js";
import { startPurge } from "./purge.js";
import { openSamples } from "./samples.js";
import { openSnapshots } from "./snapshots.js";
import { openUpgrade } from "./upgrade.js";

export interface EmbeddedStoreOptions extends StoreOptions {
  /** It is made if it is missing. It has to be on a local file system, because LMDB's locks do not work over a network. */
  readonly directory: string;
  /** A write that is not on disk after this time fails, but may still be done later. */
  readonly timeoutMs?: number;
  /** Opens the store to upgrade it, and for nothing else. */
  readonly upgrading?: boolean;
}

/**
 * The store without a server: LMDB in a directory. Reads are synchronous look-ups in mapped memory. LMDB's thread commits and
 * flushes writes. Several processes may share the directory. Every change of a dataset is committed only if the entry that it was
 * planned from is unchanged, so counts stay exact.
 */
export async function openEmbeddedStore({
  directory,
  digestKey,
  outputsTtlMs = OUTPUTS_TTL_MS,
  outputsBytesMax = OUTPUTS_BYTES_MAX,
  timeoutMs = 5000,
  upgrading = false,
}: EmbeddedStoreOptions): Promise<Store & UpgradableStore> {
  const environment = await openEnvironment(directory, { timeoutMs, upgrading });
  const lifetime = startLifetime(explain);
  const entries = openDatasetEntries(environment);
  const { sweep, ...directions } = await openDirections(environment, directory, lifetime);
  const purge = startPurge(environment, sweep);
  const digests = openDigestKey(environment, lifetime, digestKey);
  const keptIds = openKeptIds(environment, digestKey);

  return {
    ...digests,
    ...openOutputs(environment, lifetime, { outputsTtlMs, outputsBytesMax }),
    ...openSamples(environment, { datasets: entries, weightColumns: openWeightColumns(), keptIds }, lifetime),
    ...openDatasets(environment, entries, lifetime, () => purge.again()),
    ...openEmbeddings(environment, { datasets: entries, keptIds, ...digests }, lifetime, () => purge.again()),
    ...openSnapshots(environment, entries, lifetime),
    ...openUpgrade(environment, directory, entries, lifetime),
    ...directions,

    status: () =>
      lifetime.run(async () => {
        await environment.checkWrites();
        const failure = purge.failure();
        if (failure !== null) throw explain(failure);
        return {
          kind: "embedded" as const,
          durability:
            readOnlyNotice(environment.format()) ??
            "An acknowledged write is on disk: it survives the end of the process and of the machine.",
        };
      }),

    async close() {
      purge.interrupt();
      if (!(await lifetime.end())) return;
      await purge.idle();
      await environment.close();
    },
  };
}
