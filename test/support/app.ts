import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { onTestFinished } from "vitest";
import { type AppOptions, buildApp } from "../../src/http/app.js";
import { createLogger } from "../../src/observe/log.js";
import { createMetrics } from "../../src/observe/metrics.js";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import type { Store } from "../../src/store/port.js";
import { fakeRankers } from "./fake-rankers.js";

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "assay-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An embedded store of its own, closed after the test. */
export function temporaryStore(): Store {
  const store = openEmbeddedStore({ directory: temporaryFolder() });
  onTestFinished(() => store.close());
  return store;
}

/** The service over a fake ranker and an embedded store of its own; options replace what a test is about. */
export async function testApp(options: Partial<AppOptions> = {}): Promise<FastifyInstance> {
  const app = await buildApp({
    rankers: fakeRankers(),
    store: options.store ?? temporaryStore(),
    metrics: createMetrics(),
    logger: createLogger("silent"),
    apiKeys: [],
    bodyBytesMax: 2 ** 20,
    limits: { samplesMax: 64, idsMax: 128, textCharsMax: 10_000 },
    version: "0.0.0",
    ...options,
  });
  onTestFinished(() => app.close());
  return app;
}
