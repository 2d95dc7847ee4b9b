// The process behind bare-session.mjs. Model folder and tokenizer are read by the service's own code; the session is bare.
import { join } from "node:path";
import { performance } from "node:perf_hooks";
// biome-ignore lint/style/noRestrictedImports: the ceiling is a session without anything of ours around it
import { InferenceSession, Tensor } from "onnxruntime-node";
import { forwardGraph, graphFile } from "../dist/ranker/graphs.js";
import { readModelFolder } from "../dist/ranker/model-folder.js";
import { RUNTIME_ENVIRONMENT } from "../dist/ranker/runtime-environment.js";
import { loadTokeniser } from "../dist/ranker/tokeniser.js";

Object.assign(process.env, RUNTIME_ENVIRONMENT);

let folder;
let tokenise;
let session;
let prepared = [];

const handlers = {
  async load({ model, precision, threads }) {
    folder = await readModelFolder(model);
    tokenise = await loadTokeniser(folder);
    const graph = graphFile(folder.manifest, forwardGraph(precision));
    session = await InferenceSession.create(join(model, graph), {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: "all",
    });
  },
  async prepare({ batches }) {
    prepared = (await Promise.all(batches.map(tokenise))).map(feedsOf);
  },
  async run({ index }) {
    const startedAtMs = performance.now();
    await session.run(prepared[index], ["logits", "features"]);
    return performance.now() - startedAtMs;
  },
  async logits() {
    const all = [];
    for (const feeds of prepared) all.push(...(await session.run(feeds, ["logits"])).logits.data);
    return all;
  },
};

function feedsOf(rows) {
  const tokens = Math.max(...rows.map((row) => row.ids.length));
  const { inputs, padding } = folder.manifest;
  const columns = {
    input_ids: [(row) => row.ids, padding.id],
    token_type_ids: [(row) => row.typeIds, padding.type_id],
    attention_mask: [(row) => row.ids.map(() => 1), 0],
  };
  return Object.fromEntries(
    inputs.map((name) => {
      const [column, filler] = columns[name];
      const data = new BigInt64Array(rows.length * tokens).fill(BigInt(filler));
      rows.forEach((row, r) => {
        column(row).forEach((value, t) => {
          data[r * tokens + t] = BigInt(value);
        });
      });
      return [name, new Tensor("int64", data, [rows.length, tokens])];
    }),
  );
}

// One after the other: `run` blocks this thread anyway, and answers keep the order of the questions.
let last = Promise.resolve();
process.on("message", (message) => {
  last = last.then(async () => {
    try {
      process.send({ value: await handlers[message.type](message) });
    } catch (error) {
      process.send({ error: error.message });
    }
  });
});
process.on("disconnect", () => process.exit(0));
