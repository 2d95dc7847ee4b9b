import { composeApp } from "../compose.js";
import { readConfig } from "../config.js";
import type { Jobs, Looks } from "../jobs/port.js";
import { createLogger } from "../observe/log.js";
import { createMetrics } from "../observe/metrics.js";
import type { Rankers } from "../ranker/port.js";
import type { Store } from "../store/port.js";

/** Prints the OpenAPI document of the service with its default limits. It opens no model and no store. */
export async function printOpenApi(): Promise<void> {
  // The document depends only on routes and schemas, so the ports are never called.
  const app = await composeApp(readConfig({}), {
    rankers: undefined as unknown as Rankers,
    store: undefined as unknown as Store,
    jobs: undefined as unknown as Jobs,
    looks: undefined as unknown as Looks,
    metrics: createMetrics(),
    logger: createLogger("silent"),
  });
  await app.ready();
  process.stdout.write(`${JSON.stringify(app.swagger(), null, 2)}\n`);
  await app.close();
}
