import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FastifyInstance } from "fastify";
import { openStore, type StoreHooks, type StoreSettings } from "./compose-store.js";
import { type Config, NO_MODEL } from "./config.js";
import { AssayError } from "./errors.js";
import { logFailedJob } from "./http/log-failed-job.js";
import { openJobs } from "./jobs/in-process/jobs.js";
import { openLooks } from "./jobs/in-process/looks.js";
import { openThreadExecutor } from "./jobs/in-process/thread-executor.js";
import type { Jobs, Looks } from "./jobs/port.js";
import { createLogger, type Logger } from "./observe/log.js";
import { createMetrics, type Metrics } from "./observe/metrics.js";
import { observeMemory, observeRankers, observeReplacements } from "./observe/rankers.js";
import { availableCores, shareCores } from "./ranker/cores.js";
import { availableMemory } from "./ranker/memory.js";
import type { Rankers } from "./ranker/port.js";
import { openRankers } from "./ranker/rankers.js";
import type { Store } from "./store/port.js";
import type { UpgradableStore } from "./store/upgrade.js";
import { packageVersion } from "./version.js";

/** The ports of the service, opened from the configuration. `close` drains and closes them. */
export interface Ports {
  readonly rankers: Rankers;
  readonly store: Store;
  readonly jobs: Jobs;
  readonly looks: Looks;
  readonly metrics: Metrics;
  readonly logger: Logger;
  close(): Promise<void>;
}

/** Picks the adapters that the configuration names and opens them. */
export async function openPorts(config: Config): Promise<Ports> {
  const logger = createLogger(config.logLevel);
  const metrics = createMetrics();
  const store = await openStore(config, logged(logger));
  const looks = openLooks(openThreadExecutor(storeSettings(config)));
  const jobs = openJobs({
    executor: openThreadExecutor(storeSettings(config)),
    onFailed: logFailedJob(logger),
  });
  const rankers = await openRankers({
    modelsDirectory: config.modelsDir,
    defaultName: config.defaultModel === NO_MODEL ? null : config.defaultModel,
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
    await jobs.close();
    await looks.close();
    await store.close();
  }
  await requireDevices(config, rankers).catch(async (error) => {
    await close();
    throw error;
  });
  return { rankers, store, jobs, looks, metrics, logger, close };
}

/** Throws `config_invalid` with what is missing if a device that the configuration names cannot be used. */
async function requireDevices({ device: devices }: Config, rankers: Rankers): Promise<void> {
  if (devices.every(({ device, fallback }) => fallback || device.kind === "cpu")) return;
  if (rankers.defaultName === null) return;
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
  { rankers, store, jobs, looks, metrics, logger }: Omit<Ports, "close">,
): Promise<FastifyInstance> {
  const { buildApp } = await import("./http/app.js");
  return buildApp({
    dashboardDir: builtDashboard(logger),
    rankers,
    store,
    jobs,
    looks,
    metrics,
    logger,
    apiKeys: config.apiKeys,
    limits: config,
    version: packageVersion(),
  });
}

/** The folder of the built dashboard; undefined, and a warning, if only the service was compiled. */
function builtDashboard(logger: Logger): string | undefined {
  const folder = fileURLToPath(new URL("../dist/dashboard/", import.meta.url));
  if (existsSync(join(folder, "index.html"))) return folder;
  logger.warn("the dashboard is not built, so / is not served: run npm run build");
  return undefined;
}

/** The store, opened so that nothing but an upgrade may use it. */
export async function openStoreToUpgrade(config: Config): Promise<Store & UpgradableStore> {
  return openStore(config, { ...logged(createLogger(config.logLevel)), upgrading: true });
}

/** Logs when Redis is lost and when it is back. */
function logged(logger: Logger): StoreHooks {
  return {
    onChange(lost) {
      if (lost === null) logger.info("connected to Redis");
      else logger.warn({ reason: lost }, "Redis cannot be used");
    },
  };
}

/** Only the settings of the store: a thread takes no functions. */
function storeSettings({
  redisUrl,
  dataDir,
  digestKey,
  outputsDays,
  outputsBytesMax,
}: Config): StoreSettings {
  return { redisUrl, dataDir, digestKey, outputsDays, outputsBytesMax };
}
