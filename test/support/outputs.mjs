// The outputs of texts by the compiled ranker, for a test that compares them with PyTorch's: node outputs.mjs FOLDER
// ASKED. Standard input is a JSON list of [first, second or null], ASKED the names of matrices, joined by commas. Prints a list
// of two answers, by forward and by norms: {logits, NAME: values or null}.
import { text } from "node:stream/consumers";
import { readModelFolder } from "../../dist/ranker/model-folder.js";
import { MATRIX_NAMES } from "../../dist/ranker/port.js";
import { openRanker } from "../../dist/ranker/ranker.js";

const [directory, names] = process.argv.slice(2);
const asked = names.split(",");
const none = () => undefined;
const ranker = openRanker(await readModelFolder(directory), {
  precision: "fp32",
  devices: [{ device: { kind: "cpu" }, fallback: false }],
  sessions: 1,
  threads: 1,
  queueTokensMax: 100_000,
  availableMemory: () => null,
  observer: {
    batch: none,
    state: none,
    queued: none,
    fault: none,
    death: none,
    device: none,
    unshared: none,
  },
});
const texts = JSON.parse(await text(process.stdin)).map(([first, second]) => ({ first, second }));
const caller = { signal: new AbortController().signal, deadlineAtMs: null };
const answers = [];
for (const wanted of [{ graph: "forward", precision: "fp32" }, { graph: "norms" }]) {
  const outputs = await ranker.run(texts, { ...wanted, asked }, caller);
  answers.push(
    Object.fromEntries(
      ["logits", ...MATRIX_NAMES].map((name) => [
        name,
        outputs[name] === undefined ? null : [...outputs[name]],
      ]),
    ),
  );
}
await ranker.close();
process.stdout.write(JSON.stringify(answers));
