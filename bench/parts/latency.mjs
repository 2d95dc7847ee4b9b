import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { openBareSession } from "../bare-session.mjs";
import { scoreBody } from "../client.mjs";
import { chunksOf, textOf } from "../pairs.mjs";
import { figure, interleave, quantileOf } from "../rounds.mjs";
import { startService } from "../service.mjs";

const BULK_BATCH = 200;
const BULK_CONCURRENCY = 4;
const BLOCK = 10;
/** Requests of one sample, by what is remembered of it. */
const ONE = {
  "one sample": (pair) => scoreBody([pair], null),
  "one sample of a dataset": (pair) => scoreBody([pair]),
};

/** Time of one sample: on an idle service against the bare session, and beside bulk load, with the event loop's delay. */
export async function measureLatency(context) {
  const { options, pairs, fresh, precision, report } = context;
  const { model, rounds, quick } = options;
  const singles = pairs.slice(0, quick ? 10 : 60);
  const bare = await openBareSession({ model, precision, threads: 2 });
  await bare.prepare(singles.map((pair) => [textOf(pair)]));
  const service = await startService({ model, env: { ASSAY_PRECISION: precision } });
  const base = { part: "latency", precision, unit: "ms" };
  try {
    const idle = { bare: [], ...Object.fromEntries(Object.keys(ONE).map((name) => [name, []])) };
    for (let round = 0; round <= rounds; round++) {
      const each = await idleRound(service, bare, singles, fresh);
      if (round > 0) for (const side of Object.keys(idle)) idle[side].push(each[side]);
    }
    for (const [quantile, share] of [
      ["p50", 0.5],
      ["p95", 0.95],
    ]) {
      const of = (side) => idle[side].map((eachMs) => quantileOf(eachMs, share));
      const against = { name: `bare ${quantile}`, values: of("bare") };
      report(figure({ ...base, name: `bare session, one text, ${quantile}`, values: of("bare") }));
      for (const name of Object.keys(ONE))
        report(figure({ ...base, name: `${name}, idle, ${quantile}`, values: of(name), against }));
    }

    const loaded = {
      "one sample beside bulk, p50": [],
      "one sample beside bulk, p95": [],
      delay: [],
      rate: [],
    };
    await interleave(rounds, {
      async bulk(round) {
        const { eachMs, delayMs, pairsPerSecond } = await bulkRound(service, context, quick ? 300 : 5000);
        if (round > 0) {
          loaded["one sample beside bulk, p50"].push(quantileOf(eachMs, 0.5));
          loaded["one sample beside bulk, p95"].push(quantileOf(eachMs, 0.95));
          loaded.delay.push(delayMs);
          loaded.rate.push(pairsPerSecond);
        }
        return pairsPerSecond;
      },
    });
    const { delay, rate, ...latencies } = loaded;
    for (const [name, values] of Object.entries(latencies)) report(figure({ ...base, name, values }));
    report(figure({ ...base, name: "event loop delay beside bulk, p99 (10 ms when idle)", values: delay }));
    report(figure({ ...base, name: "bulk beside it", unit: "pairs/s", values: rate }));
  } finally {
    await bare.close();
    await service.close();
  }
}

/** Milliseconds of each text on every side, in blocks that alternate with a pause for the other's threads to go to sleep. */
async function idleRound(service, bare, singles, fresh) {
  const each = { bare: [] };
  for (const block of chunksOf([...singles.keys()], BLOCK)) {
    await sleep(30);
    for (const index of block) each.bare.push(await bare.run(index));
    for (const [name, bodyOf] of Object.entries(ONE)) {
      await sleep(30);
      const bodies = fresh(block.map((index) => singles[index])).map((pair) => bodyOf(pair));
      each[name] = [...(each[name] ?? []), ...(await service.postAll("/v1/score", bodies, 1)).eachMs];
    }
  }
  return each;
}

/** Posts bulk for `durationMs`, single samples with pauses beside it, and reads the event loop's delay of that time. */
async function bulkRound(service, { pairs, fresh }, durationMs) {
  await eventLoopDelayMs(service); // reading it starts it anew
  const startedAtMs = performance.now();
  const over = () => performance.now() - startedAtMs > durationMs;
  let scored = 0;
  async function bulk() {
    while (!over())
      for (const batch of chunksOf(fresh(pairs), BULK_BATCH)) {
        await service.post("/v1/score", scoreBody(batch));
        scored += batch.length;
        if (over()) return;
      }
  }
  const eachMs = [];
  async function singles() {
    for (let index = 0; !over(); index++) {
      await sleep(40);
      const body = scoreBody(fresh([pairs[index % pairs.length]]));
      eachMs.push((await service.postAll("/v1/score", [body], 1)).eachMs[0]);
    }
  }
  await Promise.all([singles(), ...Array.from({ length: BULK_CONCURRENCY }, bulk)]);
  const pairsPerSecond = (scored / (performance.now() - startedAtMs)) * 1000;
  return { eachMs, delayMs: await eventLoopDelayMs(service), pairsPerSecond };
}

async function eventLoopDelayMs(service) {
  const text = String(await service.get("/metrics"));
  return Number(/^nodejs_eventloop_lag_p99_seconds (\S+)/m.exec(text)[1]) * 1000;
}
