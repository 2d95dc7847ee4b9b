// node bench/graphs.mjs DATA.jsonl FOLDER [FOLDER ...]: the forward graphs of model folders beside each other, as bare sessions
// (a process of one thread for each core), and how far their logits are from the first folder's forward.onnx. Two versions of one
// model, say: `git archive COMMIT models/default | tar -x -C ELSEWHERE` brings the older. After `npm run build`.
import os from "node:os";
import { readModelFolder } from "../dist/ranker/model-folder.js";
import { loadTokeniser } from "../dist/ranker/tokeniser.js";
import { openBareSession, runBatches, sortedBatches } from "./bare-session.mjs";
import { readPairs, textOf } from "./pairs.mjs";
import { interleave, quantileOf, spearman, spreadOf } from "./rounds.mjs";

const ROUNDS = 7;
const [data, ...folders] = process.argv.slice(2);
if (folders.length === 0) throw new Error("usage: node bench/graphs.mjs DATA.jsonl FOLDER [FOLDER ...]");

const { pairs } = await readPairs(data);
const tokenise = await loadTokeniser(await readModelFolder(folders[0]));
const { batches } = await sortedBatches(pairs.map(textOf), tokenise);

const contenders = {};
const logits = {};
const sessions = [];
for (const model of folders) {
  const { manifest } = await readModelFolder(model);
  const precisions = manifest.graphs["forward.int8"] ? ["fp32", "int8"] : ["fp32"];
  for (const precision of precisions) {
    const opened = await Promise.all(
      Array.from({ length: os.availableParallelism() }, () =>
        openBareSession({ model, precision, threads: 1 }),
      ),
    );
    await Promise.all(opened.map((session) => session.prepare(batches)));
    const name = `${model} ${precision}`;
    logits[name] = await opened[0].logits();
    contenders[name] = async () => (1000 * pairs.length) / (await runBatches(opened, batches.length));
    sessions.push(...opened);
  }
}

const rates = await interleave(ROUNDS, contenders);
const [first] = Object.keys(rates);
const sigmoid = (z) => 1 / (1 + Math.exp(-z));
for (const [name, values] of Object.entries(rates)) {
  const ratio = spreadOf(values.map((value, round) => value / rates[first][round]));
  const shifts = logits[name].map((z, i) => Math.abs(sigmoid(z) - sigmoid(logits[first][i])));
  console.log(
    `${name}: ${shown(spreadOf(values), 0)} pairs/s, ${shown(ratio, 2)} times the first; ` +
      `Spearman ${spearman(logits[name], logits[first]).toFixed(5)}, shift of sigmoid(z): 99% within ` +
      `${quantileOf(shifts, 0.99).toFixed(4)}, largest ${Math.max(...shifts).toFixed(4)}`,
  );
}
for (const session of sessions) session.close();

function shown({ median, min, max }, digits) {
  return `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
}
