import { openBareSession, runBatches, sortedBatches } from "../bare-session.mjs";
import { scoreAll } from "../client.mjs";
import { chunksOf, pairOfTokens, textOf } from "../pairs.mjs";
import { figure, interleave } from "../rounds.mjs";
import { startService } from "../service.mjs";

const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const LENGTHS = [16, 32, 64, 128, 256];
const CONCURRENCIES = [1, 2, 4, 8, 16];
const HIT_SHARES = [0, 0.25, 0.5, 0.75, 1];
const BUDGETS = [128, 256, 512, 1024, 2048, 4096];
const TOKENS_OF_A_LENGTH = 4096;

/** How cost grows: a part for each of what it may grow with. */
export const SWEEPS = {
  budget: (context) => withBare(context, (bare) => budgets(context, bare)),
  size: (context) => withBoth(context, (service, bare) => sizes(context, service, bare)),
  length: (context) => withBoth(context, (service, bare) => lengths(context, service, bare)),
  concurrency: (context) => withService(context, (service) => concurrencies(context, service)),
  hits: (context) => withService(context, (service) => hits(context, service)),
};

async function withBare({ options: { model }, precision }, measure) {
  const bare = await openBareSession({ model, precision, threads: 2 });
  try {
    await measure(bare);
  } finally {
    bare.close();
  }
}

async function withService({ options: { model }, precision }, measure) {
  const service = await startService({ model, env: { ASSAY_PRECISION: precision } });
  try {
    await measure(service);
  } finally {
    await service.close();
  }
}

const withBoth = (context, measure) =>
  withBare(context, (bare) => withService(context, (service) => measure(service, bare)));

/** Padded tokens of a batch in a bare session: what a batch planner may gain. */
async function budgets({ options, pairs, tokenise, precision, report }, bare) {
  const some = pairs.slice(0, 256).map(textOf);
  const measured = (options.quick ? [128, 512] : BUDGETS).map((x) => [
    x,
    async () => {
      const { batches } = await sortedBatches(some, tokenise, x);
      await bare.prepare(batches);
      return (some.length / (await runBatches([bare], batches.length))) * 1000;
    },
  ]);
  const values = await interleave(options.rounds, Object.fromEntries(measured));
  for (const [x] of measured)
    report(
      figure({
        part: "sweep: token budget",
        precision,
        unit: "pairs/s",
        x,
        name: `bare session, batches of ${x} padded tokens`,
        values: values[x],
      }),
    );
}

async function sizes({ options, pairs, tokenise, fresh, precision, report }, service, bare) {
  for (const x of options.quick ? [1, 8] : SIZES) {
    const some = Array.from(
      { length: Math.max(x, options.quick ? 8 : 32) },
      (_, i) => pairs[(i * 7) % pairs.length],
    );
    // A batch of x as a request brings it, in the batches of the ceiling's token budget.
    const chunks = chunksOf(some.map(textOf), x).map((texts) => sortedBatches(texts, tokenise));
    const batches = (await Promise.all(chunks)).flatMap((chunk) => chunk.batches);
    await bare.prepare(batches);
    const values = await interleave(options.rounds, {
      bare: async () => (some.length / (await runBatches([bare], batches.length))) * 1000,
      ours: async () => (await scoreAll(service, chunksOf(fresh(some), x), 1)).pairsPerSecond,
    });
    const base = { part: "sweep: batch size", precision, unit: "pairs/s", x };
    report(figure({ ...base, name: `bare session, ${x} a batch`, values: values.bare }));
    report(
      figure({
        ...base,
        name: `${x} a request, 1 at once`,
        values: values.ours,
        against: { name: "bare session", values: values.bare },
      }),
    );
  }
}

async function lengths({ options, pairs, tokenise, fresh, precision, report }, service, bare) {
  for (const x of options.quick ? [32] : LENGTHS) {
    const some = await Promise.all(
      Array.from({ length: (options.quick ? 256 : TOKENS_OF_A_LENGTH) / x }, (_, i) =>
        pairOfTokens(pairs, tokenise, x, i),
      ),
    );
    const { batches } = await sortedBatches(some.map(textOf), tokenise);
    await bare.prepare(batches);
    const values = await interleave(options.rounds, {
      bare: async () => (some.length / (await runBatches([bare], batches.length))) * 1000,
      ours: async () => (await scoreAll(service, [fresh(some)], 1)).pairsPerSecond,
    });
    const base = { part: "sweep: length", precision, unit: "pairs/s", x };
    report(figure({ ...base, name: `bare session, ${x} tokens each`, values: values.bare }));
    report(
      figure({
        ...base,
        name: `${x} tokens each, ${some.length} a request`,
        values: values.ours,
        against: { name: "bare session", values: values.bare },
      }),
    );
  }
}

async function concurrencies({ options, pairs, fresh, precision, report }, service) {
  const some = pairs.slice(0, 256);
  const measured = (options.quick ? [1, 4] : CONCURRENCIES).map((x) => [
    x,
    async () => (await scoreAll(service, chunksOf(fresh(some), 16), x)).pairsPerSecond,
  ]);
  const values = await interleave(options.rounds, Object.fromEntries(measured));
  for (const [x] of measured)
    report(
      figure({
        part: "sweep: concurrency",
        precision,
        unit: "pairs/s",
        x,
        name: `16 a request, ${x} at once`,
        values: values[x],
      }),
    );
}

async function hits({ options, pairs, fresh, precision, report }, service) {
  const batch = Array.from({ length: options.quick ? 16 : 256 }, (_, i) => ({
    ...pairs[i % pairs.length],
    id: `s:${i}`,
  }));
  const known = fresh(batch);
  await scoreAll(service, [known], 1);
  const measured = HIT_SHARES.map((x) => [
    x,
    async () => {
      const unknown = fresh(batch);
      // Spread evenly over the lengths: the i-th is known where x · i passes a whole number.
      const mixed = batch.map((_, i) =>
        Math.floor((i + 1) * x) > Math.floor(i * x) ? known[i] : unknown[i],
      );
      const cached = mixed.filter((pair, i) => pair === known[i]).length;
      return (await scoreAll(service, [mixed], 1, cached)).elapsedMs;
    },
  ]);
  const values = await interleave(options.rounds, Object.fromEntries(measured));
  for (const [x] of measured)
    report(
      figure({
        part: "sweep: cache hits",
        precision,
        unit: "ms",
        x,
        name: `${batch.length} samples, ${x * 100}% of them cached`,
        values: values[x],
      }),
    );
}
