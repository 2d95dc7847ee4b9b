import { scoreAll } from "../client.mjs";
import { chunksOf } from "../pairs.mjs";
import { startInfinity } from "../peers/infinity.mjs";
import { startLitServe } from "../peers/litserve.mjs";
import { startSentenceTransformers } from "../peers/sentence-transformers.mjs";
import { figure, interleave, spearman } from "../rounds.mjs";
import { startService } from "../service.mjs";

const START = {
  "sentence-transformers": startSentenceTransformers,
  litserve: startLitServe,
  infinity: startInfinity,
};
/** A peer that ranks otherwise does not do the same work. */
const AGREEMENT_MIN = 0.999;
const CONCURRENCY = 4;

/** Each peer beside ours in fp32 and int8, on the same pairs, in interleaved rounds of their own. */
export async function measurePeers(context) {
  for (const name of context.options.peers) await measurePeer(name, context);
}

async function measurePeer(name, { options, pairs, fresh, report }) {
  const { model, rounds, precisions } = options;
  const opened = [];
  try {
    const peer = await START[name]();
    opened.push(peer);
    const services = {};
    for (const precision of precisions) {
      services[precision] = await startService({ model, env: { ASSAY_PRECISION: precision } });
      opened.push(services[precision]);
    }
    const ours = (service) => () => scoreAll(service, chunksOf(fresh(pairs), 200), CONCURRENCY);
    const perSecond = ({ elapsedMs }) => (pairs.length / elapsedMs) * 1000;
    const values = await interleave(rounds, {
      peer: async () => perSecond(await peer.score(fresh(pairs))),
      ...Object.fromEntries(
        Object.entries(services).map(([precision, service]) => [
          precision,
          async () => perSecond(await ours(service)()),
        ]),
      ),
    });

    const base = { part: `peer: ${name}`, unit: "pairs/s" };
    const { scores } = await peer.score(pairs);
    report({
      ...figure({ ...base, name, values: values.peer }),
      settings: peer.settings,
      versions: peer.versions,
    });
    for (const [precision, service] of Object.entries(services)) {
      const against = { name, values: values.peer };
      report(figure({ ...base, name: `ours over HTTP, ${precision}`, values: values[precision], against }));
      const agreement = spearman(scores, (await ours(service)()).logits);
      if (precision === "fp32" && agreement < AGREEMENT_MIN)
        throw new Error(`${name} ranks otherwise than ours: Spearman ${agreement}`);
      report(
        figure({
          ...base,
          unit: "Spearman",
          name: `ours, ${precision}, with ${name}: agreement`,
          values: [agreement],
        }),
      );
    }
  } finally {
    for (const { close } of opened.reverse()) await close();
  }
}
