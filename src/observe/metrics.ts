import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** The metrics of one service. Each app has its own registry, so that tests do not share counts. */
export interface Metrics {
  readonly registry: Registry;
  readonly requests: Counter<"method" | "route" | "status">;
  readonly requestSeconds: Histogram<"method" | "route">;
  readonly stageSeconds: Histogram<"route" | "stage">;
  readonly samples: Counter<"model">;
  readonly cacheHits: Counter<"model">;
  readonly batches: Counter<"model">;
  readonly batchRows: Histogram<"model">;
  readonly batchSeconds: Histogram<"model">;
  readonly tokens: Counter<"model" | "kind">;
  readonly queueTokens: Gauge<"model">;
  readonly modelReady: Gauge<"model">;
  readonly engineFailures: Counter<"model">;
  readonly engineDeaths: Counter<"model">;
  readonly engineDevice: Gauge<"model" | "device">;
  readonly modelReloads: Counter<"model" | "outcome">;
}

const LATENCY_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Buckets for stages. They begin low, because stages of answers from the cache last tens of microseconds. */
const STAGE_SECONDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5, 30];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    requests: new Counter({
      name: "assay_requests_total",
      help: "Requests answered, by route and status",
      labelNames: ["method", "route", "status"],
      registers,
    }),
    requestSeconds: new Histogram({
      name: "assay_request_seconds",
      help: "Time from the first byte of a request to the last of its answer",
      labelNames: ["method", "route"],
      buckets: LATENCY_SECONDS,
      registers,
    }),
    stageSeconds: new Histogram({
      name: "assay_stage_seconds",
      help: "Time of each stage of a request, as in its Server-Timing header; the stages add up to the time of the request",
      labelNames: ["route", "stage"],
      buckets: STAGE_SECONDS,
      registers,
    }),
    samples: new Counter({
      name: "assay_samples_total",
      help: "Samples scored, including cached ones",
      labelNames: ["model"],
      registers,
    }),
    cacheHits: new Counter({
      name: "assay_cache_hits_total",
      help: "Samples whose outputs were in the store",
      labelNames: ["model"],
      registers,
    }),
    batches: new Counter({
      name: "assay_batches_total",
      help: "Batches that the model's sessions ran",
      labelNames: ["model"],
      registers,
    }),
    batchRows: new Histogram({
      name: "assay_batch_rows",
      help: "Number of rows in a batch",
      labelNames: ["model"],
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
      registers,
    }),
    batchSeconds: new Histogram({
      name: "assay_batch_seconds",
      help: "Time that a session ran one batch",
      labelNames: ["model"],
      buckets: LATENCY_SECONDS,
      registers,
    }),
    tokens: new Counter({
      name: "assay_tokens_total",
      help: "Tokens run, by kind: text or padding",
      labelNames: ["model", "kind"],
      registers,
    }),
    queueTokens: new Gauge({
      name: "assay_queue_tokens",
      help: "Tokens that wait for the model or run in it; estimated for texts that are not tokenised yet",
      labelNames: ["model"],
      registers,
    }),
    modelReady: new Gauge({
      name: "assay_model_ready",
      help: "1 while the model's engine answers",
      labelNames: ["model"],
      registers,
    }),
    engineFailures: new Counter({
      name: "assay_engine_failures_total",
      help: "Times a model failed to load, or died too often",
      labelNames: ["model"],
      registers,
    }),
    engineDeaths: new Counter({
      name: "assay_engine_deaths_total",
      help: "Engine processes that ended unexpectedly; another process took over their work",
      labelNames: ["model"],
      registers,
    }),
    engineDevice: new Gauge({
      name: "assay_engine_device",
      help: "Devices that the engine processes of a model have used since the start; 1 for each",
      labelNames: ["model", "device"],
      registers,
    }),
    modelReloads: new Counter({
      name: "assay_model_reloads_total",
      help: "Attempts to replace a model, by reload or new weights, by outcome: swapped or refused",
      labelNames: ["model", "outcome"],
      registers,
    }),
  };
}
