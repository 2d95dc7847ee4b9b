// Puts the table of a results file into bench/README.md and draws its plots:  node bench/report.mjs RESULTS.json
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { nameOf, ROOT } from "./options.mjs";
import { plotsOf } from "./plots.mjs";
import { tableOf } from "./table.mjs";

const path = process.argv[2];
if (path === undefined) throw new Error("node bench/report.mjs RESULTS.json");
const { machine, versions, data, commit, changed, figures } = JSON.parse(await readFile(path, "utf8"));

const folder = join(ROOT, "bench/plots");
await mkdir(folder, { recursive: true });
for (const [name, svg] of Object.entries(plotsOf(figures))) await writeFile(join(folder, `${name}.svg`), svg);

const readme = join(ROOT, "bench/README.md");
const text = await readFile(readme, "utf8");
const from = `Commit ${commit}${changed ? " with changes" : ""}, ${nameOf(path)}: ${data.pairs} pairs of ${data.name}, ${data.tokens_mean.toFixed(1)} tokens on average; ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}; Node ${versions.node.slice(1)}, onnxruntime-node ${versions["onnxruntime-node"]}.`;
const between = /(<!-- table -->\n)[\s\S]*(<!-- end of table -->)/;
if (!between.test(text)) throw new Error("bench/README.md has no place for the table");
await writeFile(
  readme,
  text.replace(between, (_, head, foot) => `${head}${from}\n\n${tableOf(figures)}\n${foot}`),
);
