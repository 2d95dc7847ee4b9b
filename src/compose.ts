import type { FastifyInstance } from "fastify";
import type { Config } from "./config.js";
import { AssayError } from "./errors.js";
import { createLogger, type Logger } from "./observe/log.js";
import { createMetrics, type Metrics } from "./observe/metrics.js";
import type { Device } from "./ranker/engine/protocol.js";
import type { ImportOptions, ImportReport } from "./ranker/import/import-folder.js";
import type { Rankers } from "./ranker/port.js";
import type { RankerObserver } from "./ranker/ranker.js";
import { openRankers, type RankersOptions } from "./ranker/rankers.js";
import type { Store } from "./store/port.js";
import { packageVersion } from "./version.js";

/** The ports of the service, opened from the configuration; `close` drains and lets go of them. */
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
      devices: config.devices,
      sessions: config.sessions,
      threads: config.threadsPerSession,
      queueTokensMax: config.queueTokensMax,
      observer: observeRankers(metrics, logger),
    },
    onReplacement: observeReplacements(metrics, logger),
    onFaulty: (model, reason) => logger.error({ model, reason }, "model folder with a fault"),
  });
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

/** A device that the configuration names is a condition of the start: throws `config_invalid` with what is missing. */
async function requireDevices({ devices }: Config, rankers: Rankers): Promise<void> {
  if (devices.every(({ device, fallback }) => fallback || device.kind === "cpu")) return;
  const state = await rankers.get(rankers.defaultName).settled();
  if (state.status !== "ready") {
    throw new AssayError("config_invalid", { detail: `ASSAY_DEVICE cannot be served: ${state.reason}` });
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
    limits: config.limits,
    version: packageVersion(),
  });
}

/** Makes a model folder of a stock ONNX export; see `importFolder`. */
export async function importModel(source: string, options: ImportOptions): Promise<ImportReport> {
  const { importFolder } = await import("./ranker/import/import-folder.js");
  return importFolder(source, options);
}

/** Loads the adapter that is used alone: a second of start for the command line. */
async function openStore({ redisUrl, dataDir, ...options }: Config, logger: Logger): Promise<Store> {
  const { digestKey, outputsTtlMs, outputsBytesMax } = options;
  if (redisUrl === undefined) {
    const { openEmbeddedStore } = await import("./store/embedded/store.js");
    return openEmbeddedStore({ directory: dataDir, digestKey, outputsTtlMs, outputsBytesMax });
  }
  const { openRedisStore } = await import("./store/redis/store.js");
  const store = openRedisStore({
    url: redisUrl,
    digestKey,
    outputsTtlMs,
    outputsBytesMax,
    onChange(lost) {
      if (lost === null) logger.info("connected to Redis");
      else logger.warn({ reason: lost }, "no use of Redis");
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

function observeRankers(metrics: Metrics, logger: Logger): RankerObserver {
  return {
    batch(model, { rows, tokens, paddedTokens, inferMs }) {
      metrics.batches.inc({ model });
      metrics.batchRows.observe({ model }, rows);
      metrics.batchSeconds.observe({ model }, inferMs / 1000);
      metrics.tokens.inc({ model, kind: "text" }, tokens);
      metrics.tokens.inc({ model, kind: "padding" }, paddedTokens - tokens);
    },
    state(model, state) {
      metrics.modelReady.set({ model }, state.status === "ready" ? 1 : 0);
      if (state.status === "failed") metrics.engineFailures.inc({ model });
      if (state.status === "failed") logger.error({ model, reason: state.reason }, "model failed");
      else logger.info({ model, status: state.status }, "model state");
    },
    queued(model, tokens) {
      metrics.queueTokens.set({ model }, tokens);
    },
    fault(model, reason) {
      logger.error({ model, reason }, "engine fault");
    },
    death(model, reason) {
      metrics.engineDeaths.inc({ model });
      logger.error({ model, reason }, "engine process ended");
    },
    device(model, device, missing) {
      metrics.engineDevice.set({ model, device: deviceName(device) }, 1);
      if (missing === null) logger.info({ model, device: deviceName(device) }, "engine device");
      else logger.info({ model, device: deviceName(device), missing }, "no CUDA device: running on the CPU");
    },
  };
}

function deviceName(device: Device): string {
  return device.kind === "cpu" ? "cpu" : `cuda:${device.index}`;
}

function observeReplacements(metrics: Metrics, logger: Logger): RankersOptions["onReplacement"] {
  return (model, facts) => {
    metrics.modelReloads.inc({ model, outcome: facts.outcome });
    if (facts.outcome === "swapped") logger.info({ model, ...facts }, "model replaced");
    else logger.warn({ model, ...facts }, "model not replaced");
  };
}
