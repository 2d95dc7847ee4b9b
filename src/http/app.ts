import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import type { Jobs, Looks } from "../jobs/port.js";
import type { Logger } from "../observe/log.js";
import type { Metrics } from "../observe/metrics.js";
import type { Rankers } from "../ranker/port.js";
import type { Limits } from "../scoring/requests/limits.js";
import type { Store } from "../store/port.js";
import { serveDashboard } from "./dashboard.js";
import { serveOpenApi } from "./openapi.js";
import { requireBearerKeys } from "./plugins/bearer-keys.js";
import { limitBodyBytes } from "./plugins/body-quota.js";
import { closeKeptAlive } from "./plugins/close-kept-alive.js";
import { readJsonBodies } from "./plugins/json-body.js";
import { linger } from "./plugins/linger.js";
import { requireLocalCallers } from "./plugins/local-callers.js";
import { answerOtherMethods } from "./plugins/methods.js";
import { measureRequests } from "./plugins/request-metrics.js";
import { SAFE_HEADERS, sendSafeHeaders } from "./plugins/safe-headers.js";
import { timeStages } from "./plugins/server-timing.js";
import { boundUnreadAnswers } from "./plugins/unread-answers.js";
import { validateRequests } from "./plugins/validation.js";
import { handleErrors, sendProblem } from "./problems.js";
import { refuseMalformed } from "./raw-problems.js";
import { datasetRoutes } from "./routes/datasets.js";
import { directionRoutes } from "./routes/directions.js";
import { estimateRoutes } from "./routes/estimate.js";
import { explainRoutes } from "./routes/explain.js";
import { exportRoutes } from "./routes/export.js";
import { healthRoutes } from "./routes/health.js";
import { jobRoutes } from "./routes/jobs.js";
import { lookRoutes } from "./routes/looks.js";
import { modelRoutes } from "./routes/models.js";
import { noiseRoutes } from "./routes/noise.js";
import { observationRoutes } from "./routes/observations.js";
import { sampleRoutes } from "./routes/samples.js";
import { scoreRoutes } from "./routes/score.js";
import { selectRoutes } from "./routes/select.js";
import { weightRoutes } from "./routes/weights.js";
import { createBoundedServer } from "./server.js";

export interface AppOptions {
  readonly rankers: Rankers;
  readonly store: Store;
  readonly jobs: Jobs;
  readonly looks: Looks;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly apiKeys: readonly string[];
  readonly limits: Limits;
  readonly version: string;
  /** Folder of the built dashboard, which `/` serves; absent: `/` is unknown. */
  readonly dashboardDir?: string | undefined;
}

/** The HTTP service over the given ports. It does not listen, and it does not close the ports. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { rankers, store, jobs, looks, metrics, limits } = options;
  const loggerInstance: FastifyBaseLogger = options.logger;
  const app: FastifyInstance = Fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytesMax,
    serverFactory: createBoundedServer,
    // These errors occur before a route is found, so no hook has set the headers.
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply.headers(SAFE_HEADERS)),
    clientErrorHandler: refuseMalformed,
    // A percent-encoded id takes up to three characters a byte. Under the default of 100 a longer one is answered 404.
    routerOptions: { maxParamLength: 3 * limits.idBytesMax },
  });
  validateRequests(app);
  // Typed code builds each answer to its schema, and the tests check answers against the schemas. Parsing each answer again
  // would cost more than scoring from the cache.
  app.setSerializerCompiler(() => JSON.stringify);
  handleErrors(app);
  readJsonBodies(app);
  timeStages(app, metrics);
  measureRequests(app, metrics);
  sendSafeHeaders(app);
  requireLocalCallers(app, options.apiKeys);
  requireBearerKeys(app, options.apiKeys);
  limitBodyBytes(app, limits.bodiesBytesMax);
  closeKeptAlive(app);
  linger(app);
  boundUnreadAnswers(app);
  answerOtherMethods(app);

  await serveOpenApi(app, options.version);
  if (options.dashboardDir !== undefined) await serveDashboard(app, options.dashboardDir);
  await app.register(scoreRoutes({ rankers, store }, metrics, limits));
  await app.register(explainRoutes(rankers, limits));
  await app.register(estimateRoutes);
  await app.register(datasetRoutes({ store }));
  await app.register(exportRoutes({ store }));
  await app.register(sampleRoutes({ rankers, store }, limits));
  await app.register(observationRoutes({ store }, limits));
  await app.register(weightRoutes({ rankers, store, jobs }));
  await app.register(selectRoutes({ rankers, store, jobs }, limits));
  await app.register(noiseRoutes({ store, jobs }, limits));
  await app.register(lookRoutes({ rankers, store, looks }));
  await app.register(jobRoutes(jobs));
  await app.register(directionRoutes({ rankers, store }, limits));
  await app.register(modelRoutes(rankers));
  await app.register(healthRoutes({ rankers, store }, metrics));
  return app;
}
