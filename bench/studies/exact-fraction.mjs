import { readFile, writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { ROOT } from "../options.mjs";
import { svgOf } from "../plots.mjs";
import { randomFrom } from "../random.mjs";
import { startService } from "../service.mjs";

const { featuresOf } = await import(`${ROOT}dist/importance/calibration.js`);
const { completerOf } = await import(`${ROOT}dist/importance/completion.js`);
const { pearson, spearman } = await import(`${ROOT}dist/importance/correlation.js`);

const USAGE = `node bench/studies/exact-fraction.mjs DATA.jsonl [--shares N] [--svg FILE] [--model DIR]

How many exact runs bring a dataset's effective sample size (proportional weights by grad_norm) near the truth. Scores every
pair exactly through the service, then draws random shares of several sizes and estimates from each as
exact_fraction does, on the service's own code. DATA.jsonl has lines of {query, document} with a label, or a rating of 0 to 3.
`;
const SIZES = [50, 100, 200, 400, 800, 1600];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shares: { type: "string", default: "200" },
    svg: { type: "string" },
    model: { type: "string", default: `${ROOT}models/default` },
  },
});
if (positionals.length !== 1) {
  process.stderr.write(USAGE);
  process.exit(2);
}

const samples = await readSamples(positionals[0]);
const batch = await exactBatch(samples, values.model);
const truth = sizeOf(batch.norms);
const count = batch.norms.length;
print(
  `${count} pairs, grad_norm_last against grad_norm: Spearman ${spearman(batch.proxies, batch.norms).toFixed(3)}, Pearson ${pearson(batch.proxies, batch.norms).toFixed(3)}. ` +
    `Effective sample size ${truth.toFixed(0)}; of weights by grad_norm_last it is ${sizeOf(batch.proxies).toFixed(0)}.`,
);

const draw = randomFrom(1);
const lines = { "completed batches": [], "the share alone": [], "estimates as they are": [] };
print("\n| exact runs | share | method | median | 90% of shares | within 5% | within 2 errors |");
print("|---|---|---|---|---|---|---|");
const errorRows = [];
for (const size of SIZES.filter((size) => size <= count / 2)) {
  const shares = Array.from({ length: Number(values.shares) }, () => estimateFrom(batch, size, draw));
  for (const [method, points] of Object.entries(lines)) {
    const sizes = shares.map((share) => share[method] / truth).sort((a, b) => a - b);
    const [min, median, max] = [0.05, 0.5, 0.95].map((q) => sizes[Math.floor(q * (sizes.length - 1))]);
    points.push({ x: size, median: 100 * median, min: 100 * min, max: 100 * max });
    const near = shareOf(sizes, (ratio) => Math.abs(ratio - 1) < 0.05);
    const covered =
      method === "completed batches"
        ? percent(shareOf(shares, (share) => Math.abs(share[method] - truth) < 2 * share.error))
        : "";
    print(
      `| ${size} | ${percent(size / count)} | ${method} | ${percent(median)} | ${percent(min)} to ${percent(max)} | ${percent(near)} | ${covered} |`,
    );
  }
  errorRows.push(errorRow(size, shares));
}
print("\n| exact runs | relative_error | estimates within 1 error | within 2 | Pearson of the estimates |");
print("|---|---|---|---|---|");
for (const row of errorRows) print(row);
if (values.svg !== undefined) {
  const drawn = Object.entries(lines).map(([label, points]) => ({ label, points }));
  const y = "effective sample size, % of the true one";
  await writeFile(values.svg, svgOf({ title: `${y}, by exact runs`, x: "exact runs", y, lines: drawn }));
}

async function readSamples(path) {
  const text = await readFile(path, "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .map(({ query, document, label, rating }) => ({ query, document, label: label ?? rating / 3 }));
}

/** Norms, proxies and features of all pairs, by the service. */
async function exactBatch(samples, model) {
  const service = await startService({ model });
  try {
    const bodies = [];
    for (let at = 0; at < samples.length; at += 200) {
      const body = {
        samples: samples.slice(at, at + 200),
        signals: ["grad_norm", "grad_norm_last"],
        weighting: null,
      };
      bodies.push(Buffer.from(JSON.stringify(body)));
    }
    const { answers } = await service.postAll("/v1/score", bodies, 2);
    const rows = answers.flatMap((answer) => JSON.parse(answer).results);
    const column = (name) => Float64Array.from(rows, (row) => row[name]);
    const proxies = column("grad_norm_last");
    const logits = column("logit");
    // The answer has no ‖h‖², but |r|·√(‖h‖² + 1) and what r is made of.
    const featureNormsSquared = proxies.map((proxy, i) => {
      const residual = Math.abs(1 / (1 + Math.exp(-logits[i])) - samples[i].label);
      return (proxy / residual) ** 2 - 1;
    });
    const features = featuresOf({ logits, featureNormsSquared, classes: 1 }, proxies);
    return { norms: column("grad_norm"), proxies, features };
  } finally {
    await service.close();
  }
}

function estimateFrom({ norms, proxies, features }, size, draw) {
  const share = drawn(norms.length, size, draw);
  const exact = Float64Array.from(share, (index) => norms[index]);
  const completer = completerOf({ proxies, features, share, exact });
  const { value, error } = completer.estimate(sizeOf);
  const { estimates, relativeError } = completer.calibration;
  const given = new Float64Array(estimates);
  for (const index of share) given[index] = norms[index];
  const known = new Set(share);
  const deviations = [...norms.keys()]
    .filter((index) => !known.has(index))
    .map((index) => Math.abs(norms[index] / estimates[index] - 1) / relativeError);
  return {
    "completed batches": value,
    "the share alone": (norms.length / size) * sizeOf(exact),
    "estimates as they are": sizeOf(given),
    error,
    relativeError,
    deviations,
    pearson: pearson(estimates, norms),
  };
}

function errorRow(size, shares) {
  const deviations = shares.flatMap((share) => share.deviations);
  const median = (name) => shares.map((share) => share[name]).sort((a, b) => a - b)[shares.length >> 1];
  const within = (limit) => percent(shareOf(deviations, (deviation) => deviation < limit));
  return `| ${size} | ${percent(median("relativeError"))} | ${within(1)} | ${within(2)} | ${median("pearson").toFixed(3)} |`;
}

/** (Σs)² / Σs²: the effective sample size of weights in proportion to s. */
function sizeOf(norms) {
  const total = norms.reduce((a, b) => a + b, 0);
  return total ** 2 / norms.reduce((a, b) => a + b * b, 0);
}

/** A simple random sample, in random order. */
function drawn(count, size, draw) {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let at = 0; at < size; at += 1) {
    const other = at + Math.floor(draw() * (count - at));
    [order[at], order[other]] = [order[other], order[at]];
  }
  return order.slice(0, size);
}

function shareOf(items, holds) {
  return items.filter(holds).length / items.length;
}

function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
}

function print(line) {
  process.stdout.write(`${line}\n`);
}
