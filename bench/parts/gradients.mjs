import { performance } from "node:perf_hooks";
import { chunksOf } from "../pairs.mjs";
import { startPyTorchGradients } from "../peers/pytorch-gradients.mjs";
import { figure, interleave } from "../rounds.mjs";
import { startService } from "../service.mjs";

const BATCH = 200;
const CONCURRENCY = 4;
const FORWARD = { name: "forward: loss and grad_norm_last", body: { signals: ["loss", "grad_norm_last"] } };
/** Keeping the vector takes about a second however many samples there are, so that few of them would measure that. */
const DIRECTION_PAIRS_MAX = 600;
const SCORED_PAIRS_MAX = 300;
/** 50 of a request's 200 pairs: from there on the proxy's correlation is told. */
const EXACT_FRACTION = 0.25;
/** What the slowest peer does in seconds. */
const PEER_PAIRS_MAX = 48;
/** How often ours scores them in one go, so that it is measured at work and not at the ends of a short request. */
const PEER_PAIRS_TIMES = 4;
/** Of a peer's norm from ours, relative to the larger of its own and the median: beyond, it does other work. */
const DIFFERENCE_MAX = 1e-3;

/** Cost of the exact signals over HTTP with nothing cached, in forwards of the same pairs in the same rounds. */
export async function measureGradients({ options, pairs: all, fresh, report }) {
  const pairs = spreadOver(all, SCORED_PAIRS_MAX);
  await withService(options, async (service) => {
    await putDirection(service, "loss_gradient", pairs.slice(0, 40));
    const scored = (body) => async () => (await score(service, fresh(pairs), body)).elapsedMs;
    await compare(
      { part: "gradients", rounds: options.rounds, pairs, report },
      {
        [FORWARD.name]: scored(FORWARD.body),
        grad_norm: scored({ signals: ["grad_norm"] }),
        [`grad_norm, exact_fraction ${EXACT_FRACTION}`]: scored({
          signals: ["grad_norm"],
          exact_fraction: EXACT_FRACTION,
        }),
        "influence along a direction": scored({ signals: ["influence"], direction: "loss_gradient" }),
      },
    );
  });
}

/** Cost of making a direction, with the outputs of its samples cached or not, in forwards as above. */
export async function measureDirections({ options, pairs: all, fresh, report }) {
  const pairs = spreadOver(all, DIRECTION_PAIRS_MAX);
  const made = (service, kind, known) => async () => {
    const samples = fresh(pairs);
    if (known !== null) await score(service, samples, known);
    return putDirection(service, kind, samples);
  };
  await withService(options, async (service) => {
    await compare(
      { part: "directions", rounds: options.rounds, pairs, report },
      {
        [FORWARD.name]: async () => (await score(service, fresh(pairs), FORWARD.body)).elapsedMs,
        "loss_gradient, outputs cached": made(service, "loss_gradient", FORWARD.body),
        loss_gradient: made(service, "loss_gradient", null),
        mean_direction: made(service, "mean_direction", null),
      },
    );
  });
}

/** `grad_norm` over HTTP beside the three ways of PyTorch on the same pairs: each must find the same norms. */
export async function measureGradientPeers({ options, pairs: all, fresh, report }) {
  const pairs = spreadOver(all, PEER_PAIRS_MAX);
  const peer = await startPyTorchGradients();
  try {
    await withService(options, async (service) => {
      const ours = (times) => {
        const copies = Array.from({ length: times }, (_, copy) =>
          fresh(pairs).map((pair) => ({ ...pair, id: `${pair.id}:${copy}` })),
        );
        return score(service, copies.flat(), { signals: ["grad_norm"] });
      };
      const { results } = await ours(1);
      const expected = results.map(({ grad_norm }) => grad_norm);
      for (const [name, method] of Object.entries(peer.methods))
        checkSame(name, (await method(pairs)).norms, expected);
      const perSecond = ({ elapsedMs }) => (pairs.length / elapsedMs) * 1000;
      const values = await interleave(options.rounds, {
        ours: async () => PEER_PAIRS_TIMES * perSecond(await ours(PEER_PAIRS_TIMES)),
        ...Object.fromEntries(
          Object.entries(peer.methods).map(([name, method]) => [
            name,
            async () => perSecond(await method(fresh(pairs))),
          ]),
        ),
      });
      const base = { part: "gradient peers", precision: "fp32", unit: "pairs/s" };
      for (const name of Object.keys(peer.methods)) {
        report({ ...figure({ ...base, name, values: values[name] }), versions: peer.versions });
        const against = { name, values: values[name] };
        report(
          figure({ ...base, name: `grad_norm over HTTP, beside ${name}`, values: values.ours, against }),
        );
      }
    });
  } finally {
    await peer.close();
  }
}

async function withService({ model }, work) {
  const service = await startService({ model, env: { ASSAY_PRECISION: "fp32" } });
  try {
    await work(service);
  } finally {
    await service.close();
  }
}

/** Contenders in milliseconds, the first of which is the measure. */
async function compare({ part, rounds, pairs, report }, contenders) {
  const values = await interleave(rounds, contenders);
  const each = (name) => values[name].map((elapsedMs) => elapsedMs / pairs.length);
  const [measure, ...others] = Object.keys(contenders);
  const base = { part, precision: "fp32", unit: "ms a pair" };
  report(figure({ ...base, name: measure, values: each(measure) }));
  for (const name of others)
    report(
      figure({ ...base, name, values: each(name), against: { name: "forward", values: each(measure) } }),
    );
}

/** Scores pairs that no cache knows: milliseconds, and the results in the pairs' order. */
async function score(service, pairs, body) {
  const bodies = chunksOf(pairs, BATCH).map((samples) =>
    Buffer.from(JSON.stringify({ dataset: "bench", weighting: null, ...body, samples })),
  );
  const { elapsedMs, answers } = await service.postAll("/v1/score", bodies, CONCURRENCY);
  const parsed = answers.map((answer) => JSON.parse(answer));
  const hits = parsed.reduce((sum, { diagnostics }) => sum + diagnostics.cache_hits, 0);
  if (hits !== 0) throw new Error(`${hits} of the pairs came from the cache where none should`);
  return { elapsedMs, results: parsed.flatMap(({ results }) => results) };
}

/** Makes a direction of the pairs, named as its kind: milliseconds. */
async function putDirection(service, kind, samples) {
  const body = Buffer.from(JSON.stringify({ kind, samples }));
  const startedAtMs = performance.now();
  const direction = JSON.parse(await service.put(`/v1/directions/${kind}`, body));
  const elapsedMs = performance.now() - startedAtMs;
  if (direction.samples !== samples.length) throw new Error(`a direction of ${direction.samples} samples`);
  return elapsedMs;
}

function checkSame(name, norms, expected) {
  const scale = expected.toSorted((a, b) => a - b)[expected.length >> 1];
  norms.forEach((norm, index) => {
    const difference = Math.abs(norm - expected[index]) / Math.max(expected[index], scale);
    if (!(difference <= DIFFERENCE_MAX))
      throw new Error(`${name} finds the norm ${norm} of pair ${index}, ours is ${expected[index]}`);
  });
}

/** At most `count` of the pairs, evenly over all of them. */
function spreadOver(pairs, count) {
  if (pairs.length <= count) return pairs;
  return Array.from({ length: count }, (_, i) => pairs[Math.floor((i * pairs.length) / count)]);
}
