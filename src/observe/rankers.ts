import { Gauge } from "prom-client";
import type { Logger } from "./log.js";
import type { Metrics } from "./metrics.js";

/** One batch that a session ran. */
interface Batch {
  readonly rows: number;
  /** Tokens that carry text. */
  readonly tokens: number;
  /** Rows × columns of the batch as it ran. */
  readonly paddedTokens: number;
  readonly inferMs: number;
}

/** Whether a model answers, and if not, why. */
interface State {
  readonly status: string;
  readonly reason?: string;
}

interface Device {
  readonly kind: string;
  readonly index?: number;
}

/** Events of rankers, which go to the metrics and the log. */
export interface ObservedRankers {
  batch(model: string, batch: Batch): void;
  state(model: string, state: State): void;
  /** Tokens that wait for the model or run in it. */
  queued(model: string, tokens: number): void;
  fault(model: string, reason: string): void;
  death(model: string, reason: string): void;
  /** `missing` says why the device is not the requested one; null if it is. */
  device(model: string, device: Device, missing: string | null): void;
  unshared(model: string, reason: string): void;
}

export function observeRankers(metrics: Metrics, logger: Logger): ObservedRankers {
  return {
    batch(model, { rows, tokens, paddedTokens, inferMs }) {
      metrics.batches.inc({ model });
      metrics.batchRows.observe({ model }, rows);
      metrics.batchSeconds.observe({ model }, inferMs / 1000);
      metrics.tokens.inc({ model, kind: "text" }, tokens);
      metrics.tokens.inc({ model, kind: "padding" }, paddedTokens - tokens);
    },
    state(model, { status, reason }) {
      metrics.modelReady.set({ model }, status === "ready" ? 1 : 0);
      if (status === "failed") {
        metrics.engineFailures.inc({ model });
        logger.error({ model, reason }, "model failed");
      } else logger.info({ model, status }, "model state");
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
    device(model, { kind, index }, missing) {
      const device = index === undefined ? kind : `${kind}:${index}`;
      metrics.engineDevice.set({ model, device }, 1);
      if (missing === null) logger.info({ model, device }, "engine device");
      else logger.info({ model, device, missing }, "no CUDA device: running on the CPU");
    },
    unshared(model, reason) {
      logger.warn(
        { model, reason },
        "no temporary folder for the weights: each session keeps its own, which takes more memory",
      );
    },
  };
}

/** The models, and the bytes of memory that each takes; null if it takes none or that is not known. */
interface MemorySource {
  describe(): readonly { readonly name: string }[];
  memoryBytes(name: string): Promise<number | null>;
}

/** Adds the metric of the engines' memory, which is read whenever the metrics are. */
export function observeMemory({ registry }: Metrics, models: MemorySource): void {
  const gauge = new Gauge({
    name: "assay_engine_memory_bytes",
    help: "Memory of a model's engine processes, as proportional set size; absent while none runs, and on systems other than Linux",
    labelNames: ["model"],
    registers: [registry],
    async collect() {
      gauge.reset();
      for (const { name: model } of models.describe()) {
        const bytes = await models.memoryBytes(model);
        if (bytes !== null) gauge.set({ model }, bytes);
      }
    },
  });
}

/** An attempt to replace a model. */
interface Replacement {
  readonly outcome: "swapped" | "refused";
}

/** Returns a function to call after each attempt. It counts the attempt and logs all facts. */
export function observeReplacements(
  metrics: Metrics,
  logger: Logger,
): (model: string, facts: Replacement) => void {
  return (model, facts) => {
    metrics.modelReloads.inc({ model, outcome: facts.outcome });
    if (facts.outcome === "swapped") logger.info({ model, ...facts }, "model replaced");
    else logger.warn({ model, ...facts }, "model not replaced");
  };
}
