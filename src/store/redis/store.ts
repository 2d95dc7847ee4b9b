import { AssayError } from "../../errors.js";
import { readOnlyNotice } from "../format.js";
import { type Lifetime, startLifetime } from "../lifetime.js";
import { OUTPUTS_BYTES_MAX, OUTPUTS_TTL_MS, type StoreOptions } from "../options.js";
import type { Store, StoreStatus } from "../port.js";
import type { UpgradableStore } from "../upgrade.js";
import { openWeightColumns } from "../weight-columns.js";
import { connectCluster } from "./cluster.js";
import { type Connection, type ConnectOptions, connect } from "./connection.js";
import { openDatasets } from "./datasets.js";
import { openDigestKey } from "./digest-key.js";
import { openDirections } from "./directions.js";
import { openEmbeddings } from "./embeddings.js";
import { explain, isRefusal } from "./faults.js";
import { openFormat } from "./format.js";
import { openKeptIds } from "./kept-ids.js";
import { datasetKey } from "./keys.js";
import { parseRedisUrl, type RedisLocation } from "./location.js";
import { openOutputs } from "./outputs.js";
import { openReadiness } from "./readiness.js";
import { openSamples } from "./samples.js";
import { openSnapshots } from "./snapshots.js";
import { openUpgrade } from "./upgrade.js";

export interface RedisStoreOptions extends StoreOptions {
  /** See `parseRedisUrl`. */
  readonly url: string;
  /** A command without an answer fails after this time. */
  readonly timeoutMs?: number;
  /** Called when the connection is lost, with the reason, which names the address; and with null when it is back. */
  readonly onChange?: (lost: string | null) => void;
  /** Opens the store to upgrade it, and for nothing else. */
  readonly upgrading?: boolean;
}

export interface RedisStore extends Store, UpgradableStore {
  /**
   * Waits until the first attempt to reach Redis has succeeded or failed. Throws only for a refusal.
   * @throws AssayError `config_invalid` if Redis answers but refuses the user, the password, the database or a command
   */
  tried(): Promise<void>;
}

/**
 * The store on one Redis server or a Redis Cluster (7 or later), which several services may share. It opens at once and connects by itself, also if
 * Redis starts later or comes back. Until then every method fails with `store_unavailable`.
 * @throws AssayError `config_invalid` for a URL that is not valid
 */
export function openRedisStore({
  url,
  digestKey,
  outputsTtlMs = OUTPUTS_TTL_MS,
  outputsBytesMax = OUTPUTS_BYTES_MAX,
  timeoutMs = 5000,
  onChange = () => {},
  upgrading = false,
}: RedisStoreOptions): RedisStore {
  const location = parseRedisUrl(url);
  const { prefix } = location;
  const connection = connectTo(location, { timeoutMs, onChange });
  const ended = startLifetime(explain);
  const format = openFormat(connection, prefix);
  /** Everything begins with a look at the format. */
  const lifetime: Lifetime = {
    ...ended,
    run: (work) =>
      ended.run(async () => {
        if (!upgrading) await format.requireReadable();
        return work();
      }),
  };
  const datasets = openDatasets(connection, prefix, format, lifetime);
  const digests = openDigestKey(connection, prefix, { ...lifetime, format }, digestKey);
  const keptIds = openKeptIds(connection, (dataset) => datasetKey(prefix, dataset), digests);
  const readiness = openReadiness(connection, prefix, timeoutMs);
  const status = (): Promise<StoreStatus> =>
    lifetime.run(async () => {
      const ready = await readiness();
      const notice = readOnlyNotice(await format.read());
      return notice === null ? ready : { ...ready, durability: notice };
    });

  return {
    ...digests,
    ...openOutputs(connection, prefix, lifetime, { outputsTtlMs, outputsBytesMax }),
    ...openSamples(
      connection,
      prefix,
      { datasets, weightColumns: openWeightColumns(), format, keptIds },
      lifetime,
    ),
    ...datasets.summaries,
    ...openEmbeddings(connection, prefix, { datasets, format, keptIds }, lifetime),
    ...openSnapshots(connection, prefix, format, lifetime),
    ...openDirections(connection, prefix, lifetime),
    ...openUpgrade(connection, prefix, { datasets: datasets, format }, lifetime),

    status,

    async tried() {
      await connection.tried();
      try {
        await status();
      } catch (error) {
        if (!(error instanceof AssayError)) throw error;
        if (error.code === "store_newer" || error.code === "store_outdated") throw error;
        if (isRefusal(error))
          throw new AssayError("config_invalid", {
            detail: `The Redis URL cannot be used: ${error.message}`,
            cause: error.cause,
          });
      }
    },

    async close() {
      if (await lifetime.end()) await connection.close();
    },
  };
}

function connectTo(location: RedisLocation, options: ConnectOptions): Connection {
  if (location.cluster) return connectCluster(location, options);
  const link = connect(location, options);
  return { ...link, masters: async (key) => [{ link, key }] };
}
