import { openBareSession, runBatches, sortedBatches } from "../bare-session.mjs";
import { scoreAll } from "../client.mjs";
import { chunksOf, textOf } from "../pairs.mjs";
import { figure, interleave, spearman, spreadOf } from "../rounds.mjs";
import { startService } from "../service.mjs";

const BATCH = 200;
const CONCURRENCIES = [1, 2, 4];

/** Throughput with nothing cached over HTTP, against bare sessions on the same texts: the ceiling. */
export async function measureCold({ options, pairs, tokenise, fresh, precision, report }) {
  const { model, rounds } = options;
  const { batches, order } = await sortedBatches(pairs.map(textOf), tokenise);
  const whole = await openBareSession({ model, precision, threads: 2 });
  const halves = await Promise.all([1, 2].map(() => openBareSession({ model, precision, threads: 1 })));
  for (const session of [whole, ...halves]) await session.prepare(batches);
  const service = await startService({ model, env: { ASSAY_PRECISION: precision } });
  try {
    const bare = (sessions) => async () => perSecond(pairs, await runBatches(sessions, batches.length));
    const ours = (concurrency) => async () =>
      (await scoreAll(service, chunksOf(fresh(pairs), BATCH), concurrency)).pairsPerSecond;
    const ceilings = { "1 session × 2 threads": bare([whole]), "2 processes × 1 thread": bare(halves) };
    const names = new Map(
      CONCURRENCIES.map((concurrency) => [concurrency, `${BATCH} a request, ${concurrency} at once`]),
    );
    const values = await interleave(rounds, {
      ...ceilings,
      ...Object.fromEntries([...names].map(([concurrency, name]) => [name, ours(concurrency)])),
    });

    const medianOf = (name) => spreadOf(values[name]).median;
    const best = Object.keys(ceilings).reduce((a, b) => (medianOf(a) >= medianOf(b) ? a : b));
    const base = { part: "cold", precision, unit: "pairs/s" };
    for (const name of Object.keys(ceilings))
      report(
        figure({
          ...base,
          name: `bare session: ${name}${name === best ? " (ceiling)" : ""}`,
          values: values[name],
        }),
      );
    for (const name of names.values())
      report(
        figure({ ...base, name, values: values[name], against: { name: "ceiling", values: values[best] } }),
      );

    const { logits } = await scoreAll(service, chunksOf(fresh(pairs), BATCH), 1);
    const reference = await whole.logits();
    const agreement = spearman(
      reference,
      order.map((index) => logits[index]),
    );
    report(
      figure({ ...base, unit: "Spearman", name: "agreement with the bare session", values: [agreement] }),
    );
  } finally {
    for (const opened of [whole, ...halves, service]) await opened.close();
  }
}

const perSecond = (pairs, elapsedMs) => (pairs.length / elapsedMs) * 1000;
