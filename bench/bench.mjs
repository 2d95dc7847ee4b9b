// Throughput, latency and cost of the service against its ceiling and its peers: bench/README.md, or --help.

import { readModelFolder } from "../dist/ranker/model-folder.js";
import { loadTokeniser } from "../dist/ranker/tokeniser.js";
import { describeCommit, describeMachine, describeVersions } from "./machine.mjs";
import { nameOf, readOptions, USAGE } from "./options.mjs";
import { createFreshener, readPairs, textOf } from "./pairs.mjs";
import { measureCached } from "./parts/cached.mjs";
import { measureCold } from "./parts/cold.mjs";
import { measureDirections, measureGradientPeers, measureGradients } from "./parts/gradients.mjs";
import { measureLatency } from "./parts/latency.mjs";
import { measurePeers } from "./parts/peers.mjs";
import { measureScaling } from "./parts/scaling.mjs";
import { SWEEPS } from "./parts/sweep.mjs";
import { resultsPath, writeResults } from "./results.mjs";
import { tableOf } from "./table.mjs";

const MEASURES = {
  cold: measureCold,
  cached: measureCached,
  latency: measureLatency,
  scaling: measureScaling,
  ...SWEEPS,
  gradients: measureGradients,
  directions: measureDirections,
  peers: measurePeers,
  "gradient-peers": measureGradientPeers,
};
/** Cached answers do not depend on the precision, peers are measured beside every one at once, gradients are fp32. */
const WITHOUT_PRECISION = new Set(["cached", "peers", "gradients", "directions", "gradient-peers"]);
const QUICK_PAIRS = 32;

// Ended early, it takes its services and peers along: they end with `exit`, which a signal alone does not bring.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

const options = readOptions(process.argv.slice(2));
if (options.help) process.stdout.write(USAGE);
else await main();

async function main() {
  const { pairs, sha256 } = await readPairs(options.data, options.quick ? QUICK_PAIRS : undefined);
  const tokenise = await loadTokeniser(await readModelFolder(options.model));
  const lengths = (await tokenise(pairs.map(textOf))).map(({ ids }) => ids.length);
  const run = {
    format: 1,
    date: new Date().toISOString(),
    ...describeCommit(),
    machine: describeMachine(),
    versions: describeVersions(options.model),
    data: {
      name: nameOf(options.data),
      sha256,
      pairs: pairs.length,
      tokens_mean: lengths.reduce((sum, length) => sum + length, 0) / pairs.length,
    },
    quick: options.quick,
    figures: [],
  };
  const context = {
    options,
    pairs,
    tokenise,
    fresh: await createFreshener(tokenise, pairs),
    report(figure) {
      run.figures.push(figure);
      const { part, precision, name, median, unit } = figure;
      const where = precision === null ? part : `${part}, ${precision}`;
      process.stderr.write(`${where}: ${name}: ${median.toPrecision(4)} ${unit}\n`);
    },
  };
  const path = options.out ?? resultsPath(run.commit);
  let figures = [];
  for (const part of options.parts)
    for (const precision of precisionsOf(part)) {
      await MEASURES[part]({ ...context, precision });
      // After every part: one that fails costs the others nothing.
      ({ figures } = await writeResults(path, run));
    }
  const { cpu, cores } = run.machine;
  process.stdout.write(`${tableOf(figures)}\n\n`);
  process.stdout.write(
    `${pairs.length} pairs of ${nameOf(options.data)}, ${run.data.tokens_mean.toFixed(1)} tokens on average; ${cpu}, ${cores} cores; ` +
      `commit ${run.commit}${run.changed ? " with changes" : ""}; medians of ${options.rounds} interleaved rounds. Results: ${nameOf(path)}\n`,
  );
}

function precisionsOf(part) {
  return WITHOUT_PRECISION.has(part) ? [null] : options.precisions;
}
