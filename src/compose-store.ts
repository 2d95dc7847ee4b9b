import type { Config } from "./config.js";
import type { Store } from "./store/port.js";
import type { UpgradableStore } from "./store/upgrade.js";

const DAY_MS = 86_400_000;

/** The settings that choose a store. Plain values, so that they can go to a thread. */
export type StoreSettings = Pick<
  Config,
  "redisUrl" | "dataDir" | "digestKey" | "outputsDays" | "outputsBytesMax"
>;

export interface StoreHooks {
  /** Called when Redis is lost, with the reason, and with null when it is back. */
  onChange(lost: string | null): void;
  /** Opens the store to upgrade it, and for nothing else. */
  readonly upgrading?: boolean;
}

/**
 * Opens the store that the settings choose. Loads only the adapter that is used, because loading the other one takes a tenth of a
 * second.
 */
export async function openStore(
  { redisUrl, dataDir, digestKey, outputsDays, outputsBytesMax }: StoreSettings,
  { onChange, upgrading = false }: StoreHooks,
): Promise<Store & UpgradableStore> {
  const kept = { digestKey, outputsTtlMs: outputsDays * DAY_MS, outputsBytesMax, upgrading };
  if (redisUrl === undefined) {
    const { openEmbeddedStore } = await import("./store/embedded/store.js");
    return openEmbeddedStore({ directory: dataDir, ...kept });
  }
  const { openRedisStore } = await import("./store/redis/store.js");
  const store = openRedisStore({ url: redisUrl, ...kept, onChange });
  try {
    await store.tried();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}
