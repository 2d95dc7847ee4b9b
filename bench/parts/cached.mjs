import { scoreAll, scoreBody } from "../client.mjs";
import { chunksOf } from "../pairs.mjs";
import { figure, interleave, quantileOf } from "../rounds.mjs";
import { startService } from "../service.mjs";

const SCORED = 256;
const LOOKED_UP = 1000;
const UNKNOWN_EVERY = 100;

/** Requests that need no model: batches whose outputs are all in the store, and look-ups by id. Embedded store. */
export async function measureCached({ options, pairs, precision, report }) {
  const { model, rounds, quick } = options;
  const service = await startService({ model, env: { ASSAY_PRECISION: precision } });
  try {
    const batch = Array.from({ length: SCORED }, (_, i) => ({ ...pairs[i % pairs.length], id: `s:${i}` }));
    await scoreAll(service, chunksOf(pairs, 200), 1);
    await remember(service, pairs, quick ? 1000 : 10_000);

    const repeats = quick ? 4 : 60;
    const cpu = [];
    const posts = (path, bodies, items, concurrency, eachMs) => async () => {
      const before = process.cpuUsage();
      const answered = await service.postAll(path, bodies, concurrency);
      const { user, system } = process.cpuUsage(before);
      cpu.push((user + system) / 1000 / answered.elapsedMs);
      eachMs?.push(quantileOf(answered.eachMs, 0.5));
      return ((bodies.length * items) / answered.elapsedMs) * 1000;
    };
    const body = scoreBody(batch);
    const bodies = Array.from({ length: repeats }, () => body);
    const lookups = Array.from({ length: repeats * 4 }, (_, at) => lookupBody(at, quick ? 1000 : 10_000));
    const path = "/v1/datasets/bench/lookup";
    const eachMs = [];
    const one = `score, ${SCORED} cached samples, 1 at once`;
    const four = `score, ${SCORED} cached samples, 4 at once`;
    const eight = `look-up, ${LOOKED_UP} ids, 8 at once`;
    const values = await interleave(rounds, {
      [one]: posts("/v1/score", bodies, SCORED, 1, eachMs),
      [four]: posts("/v1/score", bodies, SCORED, 4),
      [eight]: posts(path, lookups, LOOKED_UP, 8),
    });
    const base = { part: "cached", precision };
    report(figure({ ...base, name: one, unit: "samples/s", values: values[one] }));
    report(figure({ ...base, name: `${one}, p50`, unit: "ms", values: eachMs.slice(1) }));
    report(figure({ ...base, name: four, unit: "samples/s", values: values[four] }));
    report(figure({ ...base, name: eight, unit: "ids/s", values: values[eight] }));
    report(
      figure({
        ...base,
        name: "the client's own use of a core, at most",
        unit: "cores",
        values: [Math.max(...cpu)],
      }),
    );
  } finally {
    await service.close();
  }
}

/** Keeps `count` ids with signals and weights in the dataset; their texts are cached, so that no model runs. */
async function remember(service, pairs, count) {
  const samples = Array.from({ length: count }, (_, i) => ({ ...pairs[i % pairs.length], id: `s:${i}` }));
  await service.postAll("/v1/score", chunksOf(samples, 1000).map(scoreBody), 1);
  await service.post(
    "/v1/datasets/bench/weights",
    Buffer.from(JSON.stringify({ weighting: { signal: "loss", scheme: "proportional" } })),
  );
}

/** A look-up of ids from all over the dataset, one in a hundred of them unknown. */
function lookupBody(seed, count) {
  const ids = Array.from({ length: LOOKED_UP }, (_, i) =>
    i % UNKNOWN_EVERY === 0 ? `unknown:${seed}:${i}` : `s:${(seed * 7919 + i * 101) % count}`,
  );
  return Buffer.from(JSON.stringify({ ids: [...new Set(ids)] }));
}
