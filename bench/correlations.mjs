// How the signals rank and measure the same real samples: a table of correlations as Markdown, and which of them find
// doubtful labels, where people say so:  node bench/correlations.mjs DATA.jsonl [SIGNALS.jsonl]
//
// DATA.jsonl has a {query, document} a line with `label`, 0 or 1, or `rating`, 0 to 3, of which 2 and 3 are label 1; a
// `group`, and the ratings of three `raters` where people judged: two grades apart, the label is in doubt; two of them on
// the other side, it is contradicted. Every fifth group makes the direction of `influence`, all samples that of
// `alignment`. SIGNALS.jsonl takes each sample's signals.
import { readFile, writeFile } from "node:fs/promises";
import { ROOT } from "./options.mjs";
import { chunksOf } from "./pairs.mjs";
import { spearman } from "./rounds.mjs";
import { startService } from "./service.mjs";

const PLAIN = ["loss", "el2n", "margin", "confidence", "entropy", "grad_norm_last"];
const EXACT = ["grad_norm", "sensitivity", "expected_grad_norm"];
const ALONG = { influence: "validation", tangent: "validation", alignment: "mean" };
const SIGNALS = [...PLAIN, ...EXACT, ...Object.keys(ALONG)];
const VALIDATION = 5;

const [data, out] = process.argv.slice(2);
if (data === undefined) throw new Error("node bench/correlations.mjs DATA.jsonl [SIGNALS.jsonl]");
const samples = await readSamples(data);
const service = await startService({ model: `${ROOT}models/default` });
try {
  const rows = await signalsOf(samples);
  if (out !== undefined) await writeFile(out, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  process.stdout.write(`${correlations(rows)}\n\n${doubts(rows)}\n`);
} finally {
  await service.close();
}

async function readSamples(path) {
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line.trim() !== "");
  const samples = lines.map((line, index) => {
    const { id, group, query, document, label, rating, raters } = JSON.parse(line);
    const sample = { id: id ?? String(index), group, query, document, label: label ?? Number(rating >= 2) };
    return { ...sample, ...judgementOf(sample.label, raters) };
  });
  const groups = [...new Set(samples.map(({ group }) => group))];
  const held = new Set(groups.filter((_, index) => index % VALIDATION === 0));
  return samples.map((sample) => ({ ...sample, validation: held.has(sample.group) }));
}

/** Nulls where nobody judged. */
function judgementOf(label, raters) {
  if (raters === undefined) return { doubt: null, contradicted: null };
  const [least, middle, most] = raters.toSorted((a, b) => a - b);
  return { doubt: most - least >= 2, contradicted: Number(middle >= 2) !== label };
}

/** `{id, doubt, contradicted, validation, signal…}` of each sample. */
async function signalsOf(samples) {
  await makeDirection(
    "validation",
    "loss_gradient",
    samples.filter(({ validation }) => validation),
  );
  await makeDirection("mean", "mean_direction", samples);
  const rows = samples.map(({ id, doubt, contradicted, validation }) => ({
    id,
    doubt,
    contradicted,
    validation,
  }));
  const add = async (signals, fields = {}) => {
    for (const chunk of chunksOf([...samples.keys()], 500)) {
      const body = { signals, weighting: null, ...fields, samples: chunk.map((at) => bare(samples[at])) };
      const { results } = JSON.parse(await service.post("/v1/score", Buffer.from(JSON.stringify(body))));
      results.forEach((result, index) => {
        for (const signal of signals) rows[chunk[index]][signal] = result[signal];
      });
    }
  };
  await add([...PLAIN, ...EXACT]);
  for (const [signal, direction] of Object.entries(ALONG)) await add([signal], { direction });
  return rows;
}

function bare({ id, query, document, label }) {
  return { id, query, document, label };
}

async function makeDirection(name, kind, samples) {
  const lines = Buffer.from(samples.map((sample) => `${JSON.stringify(bare(sample))}\n`).join(""));
  const answer = await service.put(`/v1/directions/${name}?kind=${kind}`, lines, {
    "content-type": "application/x-ndjson",
  });
  const last = JSON.parse(answer.toString().trimEnd().split("\n").at(-1));
  if (last.samples !== samples.length || last.code !== undefined) throw new Error(JSON.stringify(last));
  const { samples: count, norm, coherence } = last;
  process.stderr.write(`direction ${name}: ${JSON.stringify({ kind, samples: count, norm, coherence })}\n`);
}

/** Spearman's below the diagonal, Pearson's above. */
function correlations(rows) {
  const columns = Object.fromEntries(SIGNALS.map((signal) => [signal, rows.map((row) => row[signal])]));
  const cell = (row, column) => {
    if (row === column) return "";
    const of = SIGNALS.indexOf(row) > SIGNALS.indexOf(column) ? spearman : pearson;
    return of(columns[row], columns[column]).toFixed(2).replace("-", "−");
  };
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    line(["", ...SIGNALS.map((name) => `\`${name}\``)]),
    line(["---", ...SIGNALS.map(() => "--:")]),
    ...SIGNALS.map((row) => line([`\`${row}\``, ...SIGNALS.map((column) => cell(row, column))])),
  ].join("\n");
}

function pearson(a, b) {
  const [meanA, meanB] = [a, b].map(
    (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  );
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - meanA) * (b[i] - meanB);
    aa += (a[i] - meanA) ** 2;
    bb += (b[i] - meanB) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

/** How each signal finds labels that the raters did not agree on or contradict, outside the validation groups. */
function doubts(rows) {
  const judged = rows.filter(({ doubt, validation }) => doubt !== null && !validation);
  if (judged.length === 0) return "No sample outside the validation groups has raters.";
  const count = Math.round(judged.length / 20);
  const lines = SIGNALS.map((signal) => {
    const sorted = judged.toSorted((a, b) => b[signal] - a[signal]);
    const ends = [sorted.slice(0, count), sorted.slice(-count)];
    const doubtful = ends.map((end) => percent(countOf(end, "doubt") / count));
    const contradicted = ends.map((end) => String(countOf(end, "contradicted")));
    const cells = [auc(judged, signal).toFixed(2), ...doubtful, ...contradicted, weightOn(judged, signal)];
    return `| \`${signal}\` | ${cells.join(" | ")} |`;
  });
  const [doubt, contradicted] = ["doubt", "contradicted"].map((field) => countOf(judged, field));
  return [
    `Of ${judged.length} samples with raters ${doubt} (${percent(doubt / judged.length)}) are in doubt and ${contradicted} contradicted; an end is ${count} samples.`,
    "",
    "| signal | AUC of doubt | in doubt at the top | at the bottom | contradicted at the top | at the bottom | weight on doubt |",
    "|---|--:|--:|--:|--:|--:|--:|",
    ...lines,
  ].join("\n");
}

function countOf(rows, field) {
  return rows.filter((row) => row[field]).length;
}

function percent(share) {
  return `${(100 * share).toFixed(0)}%`;
}

/** The share of samples in doubt in weights proportional to the signal; nothing where it is negative for some. */
function weightOn(rows, signal) {
  if (rows.some((row) => row[signal] < 0)) return "";
  const sum = (some) => some.reduce((total, row) => total + row[signal], 0);
  return percent(sum(rows.filter(({ doubt }) => doubt)) / sum(rows));
}

/** The chance that a sample in doubt has a larger signal than one that is not. */
function auc(rows, signal) {
  const others = rows.filter(({ doubt }) => !doubt);
  let wins = 0;
  for (const a of rows)
    if (a.doubt)
      for (const b of others) wins += a[signal] > b[signal] ? 1 : a[signal] === b[signal] ? 0.5 : 0;
  return wins / ((rows.length - others.length) * others.length);
}
