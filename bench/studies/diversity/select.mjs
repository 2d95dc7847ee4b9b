// How long does a selection for diversity take at 100,000 samples, and how near is it to the exact methods?
//
//     npm run build && node bench/studies/diversity/select.mjs VECTORS.f32 > bench/results/FILE.json
//
// VECTORS comes from vectors.py. Times are processor times of this process, which other work on the machine disturbs less.
//
// - k_center: the radius is the distance from the farthest of the samples that are no outliers to its nearest choice, in all dimensions. The
//   first 100 choices of a large selection are made in the projection, and those of a selection of 100 are exact.
// - facility_location: F is Σ_i max_{j ∈ S} cosine(i, j), not below 0, over all samples of a slice, by all similarities. The
//   selection on the graph is compared with greedy on all similarities, with the same number drawn at random, and with `top`.

import { readFileSync } from "node:fs";
import { arch, cpus } from "node:os";
import process from "node:process";
import { centredCosine } from "../../../dist/importance/selection/cosine.js";
import { meanOf } from "../../../dist/importance/selection/projection.js";
import { randomOf } from "../../../dist/importance/selection/random.js";
import { SELECTION_DEFAULTS } from "../../../dist/importance/selection/rules.js";
import { select } from "../../../dist/importance/selection/select.js";
import { randomSubset } from "../../../dist/importance/selection/subset.js";

const WIDTH = 384;
const SLICE = 4000;
const SEEDS = [1, 2];
/** What is timed at all samples: method, size, seeds. */
const TIMED = [
  ["facility_location", 1000, [1]],
  ["facility_location", 10_000, [1]],
  ["k_center", 1000, SEEDS],
  ["k_center", 10_000, SEEDS],
];
/** A slice and a size whose neighbours are found by buckets, as those of all samples are. */
const PARTS = [0.01, 0.05, 0.1, 0.3];

/** Embeddings as a dataset of the type int8 keeps them. */
function packed(floats, width) {
  const count = floats.length / width;
  const values = new Int8Array(floats.length);
  const scales = new Float32Array(count);
  for (let row = 0; row < count; row++) {
    const own = floats.subarray(row * width, (row + 1) * width);
    const scale = Math.fround(own.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127);
    scales[row] = scale;
    for (let d = 0; d < width; d++) values[row * width + d] = Math.round(own[d] / scale);
  }
  return { values, scales, width };
}

function columnsOf(embeddings) {
  const count = embeddings.values.length / embeddings.width;
  return { count, scores: null, embeddings, strata: null, excluded: null };
}

/** The selection with its processor time, and the longest step between two pauses. */
function timed(request, columns) {
  const steps = select({ ...SELECTION_DEFAULTS, quotas: null, ...request }, columns);
  const before = process.cpuUsage();
  let [longestMs, count] = [0, 0];
  for (;;) {
    const beganAtMs = performance.now();
    const step = steps.next();
    longestMs = Math.max(longestMs, performance.now() - beganAtMs);
    count++;
    if (!step.done) continue;
    const { user, system } = process.cpuUsage(before);
    return {
      ...step.value,
      cost: { seconds: (user + system) / 1e6, longest_step_ms: Math.round(longestMs), steps: count },
    };
  }
}

/** Distances of every row to its nearest choice, ascending. */
function distances(floats, width, chosen) {
  const count = floats.length / width;
  return Float64Array.from({ length: count }, (_, row) => {
    let nearest = Infinity;
    for (const center of chosen) {
      let squared = 0;
      for (let d = 0; d < width && squared < nearest; d++)
        squared += (floats[row * width + d] - floats[center * width + d]) ** 2;
      nearest = Math.min(nearest, squared);
    }
    return Math.sqrt(nearest);
  }).sort();
}

/** F(S) by the similarities (n, n). */
function coverage(similarities, count, chosen) {
  let total = 0;
  for (let row = 0; row < count; row++) {
    let best = 0;
    for (const column of chosen) best = Math.max(best, similarities[row * count + column]);
    total += best;
  }
  return total;
}

/** Greedy on all similarities: every gain of every choice. */
function exactGreedy(similarities, count, size) {
  const covered = new Float64Array(count);
  const taken = new Uint8Array(count);
  const bounds = new Float64Array(count).fill(Infinity);
  const chosen = [];
  while (chosen.length < size) {
    let [best, bestGain] = [-1, -1];
    for (let column = 0; column < count; column++) {
      if (taken[column] || bounds[column] <= bestGain) continue;
      let gain = 0;
      // The similarities are symmetric, so a row is a column.
      for (let row = 0; row < count; row++) {
        const more = similarities[column * count + row] - covered[row];
        if (more > 0) gain += more;
      }
      bounds[column] = gain;
      if (gain > bestGain) [best, bestGain] = [column, gain];
    }
    taken[best] = 1;
    chosen.push(best);
    for (let row = 0; row < count; row++)
      covered[row] = Math.max(covered[row], similarities[best * count + row]);
  }
  return chosen;
}

const bytes = readFileSync(process.argv[2]);
const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
const count = floats.length / WIDTH;
const all = columnsOf(packed(floats, WIDTH));
const result = {
  question: "time and quality of selection for diversity",
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, arch: arch(), node: process.version },
  samples: count,
  width: WIDTH,
  k_center: [],
  facility_location: [],
  slice: [],
};
const tell = (part) => process.stderr.write(`${JSON.stringify(part)}\n`);

const own = packed(floats.subarray(0, SLICE * WIDTH), WIDTH);
const members = Uint32Array.from({ length: SLICE }, (_, row) => row);
const cosine = centredCosine(members, own, meanOf(members, own));
const similarities = new Float32Array(SLICE * SLICE);
for (let a = 0; a < SLICE; a++)
  for (let b = 0; b <= a; b++) {
    const similarity = a === b ? 1 : Math.max(0, cosine(a, b));
    similarities[a * SLICE + b] = similarity;
    similarities[b * SLICE + a] = similarity;
  }
const greedy = exactGreedy(similarities, SLICE, Math.round(Math.max(...PARTS) * SLICE));
for (const share of PARTS) {
  const size = Math.round(share * SLICE);
  const best = coverage(similarities, SLICE, greedy.slice(0, size));
  const ratios = SEEDS.map((seed) => {
    const { indices } = timed({ method: "facility_location", size, seed }, columnsOf(own));
    return coverage(similarities, SLICE, indices) / best;
  });
  const random = SEEDS.map(
    (seed) => coverage(similarities, SLICE, randomSubset(SLICE, size, randomOf(seed))) / best,
  );
  const part = {
    samples: SLICE,
    share,
    exact_greedy: best,
    of_exact_greedy: ratios,
    random_of_exact_greedy: random,
  };
  result.slice.push(part);
  tell(part);
}
const quantile = (sorted) => ({
  radius: sorted[Math.floor(0.99 * sorted.length)],
  median: sorted[sorted.length >> 1],
});
const exact = timed({ method: "k_center", size: 100, seed: 1 }, all);
const drawn = randomSubset(count, 100, randomOf(1));
const hundred = {
  exact: quantile(distances(floats, WIDTH, exact.indices)),
  random: quantile(distances(floats, WIDTH, drawn)),
  ...exact.cost,
};
result.k_center.push(hundred);
tell(hundred);
for (const [method, size, seeds] of TIMED)
  for (const seed of seeds) {
    const { indices, cost } = timed({ method, size, seed }, all);
    const isCovered = method === "k_center" && size === 1000;
    const first = isCovered && { first_100: quantile(distances(floats, WIDTH, indices.subarray(0, 100))) };
    const part = { size, seed, ...first, ...cost };
    result[method].push(part);
    tell(part);
  }
process.stdout.write(`${JSON.stringify(result, null, 1)}\n`);
