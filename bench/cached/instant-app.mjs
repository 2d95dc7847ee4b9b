import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The service in this process over an embedded store of its own, with a model that answers at once. */
export async function startInstantApp(dist) {
  const from = (path) => import(pathToFileURL(join(dist, path)).href);
  const [{ buildApp }, { createMetrics }, { createLogger }, { openEmbeddedStore }] = await Promise.all(
    ["http/app.js", "observe/metrics.js", "observe/log.js", "store/embedded/store.js"].map(from),
  );
  const directory = mkdtempSync(join(tmpdir(), "assay-instant-"));
  const store = await openEmbeddedStore({ directory });
  const app = await buildApp({
    rankers: instantRankers(),
    store,
    metrics: createMetrics(),
    logger: createLogger("silent"),
    apiKeys: [],
    limits: {
      samplesMax: 2048,
      idsMax: 10_000,
      bodyBytesMax: 2 ** 26,
      bodiesBytesMax: 2 ** 28,
      idBytesMax: 256,
      textCharsMax: 10_000,
    },
    version: "0.0.0",
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  return {
    port: app.server.address().port,
    async close() {
      await app.close();
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
}

function instantRankers() {
  const model = {
    name: "default",
    version: "0123456789abcdef",
    task: "binary",
    classes: 1,
    tokensMax: 256,
    precisions: ["fp32"],
    precision: "fp32",
    contentDigests: { fp32: "instant" },
  };
  const ranker = {
    model,
    state: () => ({ status: "ready" }),
    run: async (texts) => ({
      logits: Float32Array.from(texts, ({ second }) => (second.length % 7) - 3),
      featureNormsSquared: Float32Array.from(texts, ({ second }) => second.length % 11),
      truncated: new Uint8Array(texts.length),
      timings: { tokeniseMs: 0, queueMs: 0, inferMs: 0 },
    }),
  };
  return {
    defaultName: "default",
    describe: () => [model],
    get: () => ranker,
    use: async (_, work) => work(ranker),
  };
}
