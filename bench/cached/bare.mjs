// What ours is measured against: Fastify and the leanest code over the same records, without validation, unknown fields,
// stale models, metrics, timings or errors. node bare.mjs '{"directory": …}' or '{"redisUrl": …}' prints its port.
import Fastify from "fastify";
import { keyOf } from "./bare-key.mjs";
import { readersOf } from "./bare-stores.mjs";

const DATASET = "bench";
const readers = await readersOf(JSON.parse(process.argv[2]));
const app = Fastify({ bodyLimit: 64 * 2 ** 20 });

app.post("/lookup", async (request) => ({ results: await readers.samples(DATASET, request.body.ids) }));

app.post("/score", async (request) => {
  const { samples } = request.body;
  const records = await readers.outputs(samples.map(keyOf));
  const results = new Array(samples.length);
  let total = 0;
  for (let index = 0; index < samples.length; index++) {
    const { logit, featureNormSquared } = records[index];
    const { id, label } = samples[index];
    const probability = 1 / (1 + Math.exp(-logit));
    const loss = -Math.log(label === 1 ? probability : 1 - probability);
    const gradNormLast = Math.abs(probability - label) * Math.sqrt(featureNormSquared + 1);
    total += gradNormLast;
    results[index] = {
      id,
      logit,
      probability,
      loss,
      grad_norm_last: gradNormLast,
      weight: gradNormLast,
      cached: true,
      truncated: false,
    };
  }
  for (const result of results) result.weight = (0.9 * result.weight) / total + 0.1 / results.length;
  return { model: MODEL, loss: "bce", results, diagnostics: DIAGNOSTICS };
});

const MODEL = { name: "default", version: "0123456789abcdef" };
const DIAGNOSTICS = {
  effective_sample_size: 100.5,
  max_weight: 0.05,
  pareto_k: 0.5,
  pareto_k_threshold: 0.5,
  tau: 1.5,
  advice: [],
  cache_hits: 256,
};

await app.listen({ port: 0, host: "127.0.0.1" });
console.log(`bare listens on ${app.server.address().port}`);
process.on("SIGINT", () => process.exit());
