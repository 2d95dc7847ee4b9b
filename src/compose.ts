import type { FastifyInstance } from "fastify";
import type { Config } from "./config.js";
import { AssayError } from "./errors.js";
import { createLogger, type Logger } from "./observe/log.js";
import { createMetrics, type Metrics } from "./observe/metrics.js";
import { observeMemory, observeRankers, observeReplacements } from "./observe/rankers.js";
import { availableCores, shareCores } from "./ranker/cores.js";
import { availableMemory } from "./ranker/memory.js";
import type { Rankers } from "./ranker/port.js";
import { openRankers } from "./ranker/rankers.js";
import type { Store } from "./store/port.js";
import { packageVersion } from "./version.js";

const DAY_MS = 86_400_000;

/** The ports of the service, opened from the configuration. `close` drains and closes them. */
export interface Ports {
  readonly rankers: Rankers;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly logger: Logger;
  close(): Promise<void>;
}

/** Picks the adapters that the configuration names and opens them. */
export async function openPorts(config: Config): Promise<Ports> {
  const logger = createLogger(config.logLevel);
  const metrics = createMetrics();
  const store = await openStore(config, logger);
  const rankers = await openRankers({
    modelsDirectory: config.modelsDir,
    defaultName: config.defaultModel,
    pinned: config.pinnedModels,
    weightsBytesMax: config.weightsBytesMax,
    ranker: {
      precision: config.precision,
      devices: config.device,
      ...shareCores(availableCores(), config.sessions, config.threadsPerSession),
      queueTokensMax: config.queueTokensMax,
      availableMemory: config.memoryCheck === "on" ? availableMemory : () => null,
      observer: observeRankers(metrics, logger),
    },
    onReplacement: observeReplacements(metrics, logger),
    onFaulty: (model, reason) => logger.error({ model, reason }, "model folder with a fault"),
  }).catch(async (error) => {
    await store.close();
    throw error;
  });
  observeMemory(metrics, rankers);
  async function close(): Promise<void> {
    await rankers.close();
    await store.close();
  }
  await requireDevices(config, rankers).catch(async (error) => {
    await close();
    throw error;
  });
  return { rankers, store, metrics, logger, close };
}

/** Throws `config_invalid` with what is missing if a device that the configuration names cannot be used. */
async function requireDevices({ device: devices }: Config, rankers: Rankers): Promise<void> {
  if (devices.every(({ device, fallback }) => fallback || device.kind === "cpu")) return;
  const state = await rankers.get(rankers.defaultName).settled();
  if (state.status !== "ready") {
    throw new AssayError("config_invalid", {
      detail: `ASSAY_DEVICE names a device that cannot be used: ${state.reason}`,
    });
  }
}

/** The HTTP service over open ports. */
export async function composeApp(
  config: Config,
  { rankers, store, metrics, logger }: Omit<Ports, "close">,
): Promise<FastifyInstance> {
  const { buildApp } = await import("./http/app.js");
  return buildApp({
    rankers,
    store,
    metrics,
    logger,
    apiKeys: config.apiKeys,
    limits: config,
    version: packageVersion(),
  });
}

/** Loads only the adapter that is used, because loading the other one takes a tenth of a second. */
async function openStore(config: Config, logger: Logger): Promise<Store> {
  const { redisUrl, dataDir, digestKey, outputsDays, outputsBytesMax } = config;
  const kept = { digestKey, outputsTtlMs: outputsDays * DAY_MS, outputsBytesMax };
  if (redisUrl === undefined) {
    const { openEmbeddedStore } = await import("./store/embedded/store.js");
    return openEmbeddedStore({ directory: dataDir, ...kept });
  }
  const { openRedisStore } = await import("./store/redis/store.js");
  const store = openRedisStore({
    url: redisUrl,
    ...kept,
    onChange(lost) {
      if (lost === null) logger.info("connected to Redis");
      else logger.warn({ reason: lost }, "Redis cannot be used");
    },
  });
  try {
    await store.tried();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}
