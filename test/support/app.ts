import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { expect, onTestFinished } from "vitest";
import { AssayError } from "../../src/errors.js";
import { type AppOptions, buildApp } from "../../src/http/app.js";
import type { Executor } from "../../src/jobs/in-process/executor.js";
import { openJobs } from "../../src/jobs/in-process/jobs.js";
import { openLooks } from "../../src/jobs/in-process/looks.js";
import { WORKS } from "../../src/jobs/kinds.js";
import { createLogger } from "../../src/observe/log.js";
import { createMetrics, type Metrics } from "../../src/observe/metrics.js";
import { openIndexes } from "../../src/scoring/looks/indexes.js";
import { openEmbeddedStore } from "../../src/store/embedded/store.js";
import type { Store } from "../../src/store/port.js";
import { fakeRankers } from "./fake-rankers.js";

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "assay-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An embedded store of its own, closed after the test, that reads no outputs before those given to it are written. */
export async function temporaryStore(): Promise<Store> {
  const store = await openEmbeddedStore({ directory: temporaryFolder() });
  onTestFinished(() => store.close());
  const writing = new Set<Promise<void>>();
  return {
    ...store,
    // A request without a dataset is answered before its outputs are kept, and the next one of a test might miss them.
    writeOutputs(entries) {
      const written = store.writeOutputs(entries);
      writing.add(written);
      return written;
    },
    async readOutputs(keys) {
      const given = [...writing];
      await Promise.allSettled(given);
      for (const written of given) writing.delete(written);
      return store.readOutputs(keys);
    },
  };
}

/** A store that does not answer, as a Redis that is down. */
export function brokenStore(): Store {
  const refuse = async (): Promise<never> => {
    throw new AssayError("store_unavailable", { detail: "the store is down" });
  };
  return new Proxy({} as Store, { get: (_, name) => (name === "close" ? async () => undefined : refuse) });
}

/** Runs jobs and looks in the thread of the test, over its store. Input and result are copied, as on the way between threads. */
function inlineExecutor(store: Store): Executor {
  const ports = { store, indexes: openIndexes(store) };
  return {
    run: async (kind, input, hooks) =>
      structuredClone(await WORKS[kind](ports, structuredClone(input), hooks)),
    close: async () => undefined,
  };
}

/** Ids of jobs in their order. */
function countedIds(): () => string {
  let count = 0;
  return () => `00000000-0000-4000-8000-${String(++count).padStart(12, "0")}`;
}

/** Small enough that a test can pass them. */
export const TEST_LIMITS = {
  samplesMax: 64,
  idsMax: 128,
  directionsMax: 8,
  bodyBytesMax: 2 ** 20,
  bodiesBytesMax: 2 ** 24,
  idBytesMax: 256,
  textCharsMax: 10_000,
};

/** The service over a fake ranker and an embedded store of its own; options replace what a test is about. */
export async function testApp(options: Partial<AppOptions> = {}): Promise<FastifyInstance> {
  const metrics = options.metrics ?? createMetrics();
  const store = options.store ?? (await temporaryStore());
  const app = await buildApp({
    rankers: fakeRankers(),
    store,
    jobs: openJobs({ executor: inlineExecutor(store), newId: countedIds() }),
    looks: openLooks(inlineExecutor(store)),
    metrics,
    logger: createLogger("silent"),
    apiKeys: [],
    limits: TEST_LIMITS,
    version: "0.0.0",
    ...options,
  });
  onTestFinished(async () => {
    await app.close();
    await expectDocumented(metrics);
  });
  return app;
}

/** Paths of the generated OpenAPI document. */
const { paths } = JSON.parse(
  readFileSync(new URL("../../openapi/openapi.json", import.meta.url), "utf8"),
) as { paths: Record<string, Record<string, { responses: Record<string, unknown> }>> };

/** Nobody receives it: the client is gone. */
const CANCELLED = "499";

/** Whatever a test asked for: each answer of a documented route has a status that its document names. */
async function expectDocumented({ requests }: Metrics): Promise<void> {
  for (const { labels } of (await requests.get()).values) {
    const { method = "", route = "", status = "" } = labels as Record<string, string | undefined>;
    const operation = paths[route.replace(/:(\w+)/g, "{$1}")]?.[method.toLowerCase()];
    if (operation === undefined || status === CANCELLED) continue;
    expect(Object.keys(operation.responses), `statuses of ${method} ${route}`).toContain(status);
  }
}
