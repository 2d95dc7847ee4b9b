import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const SWEEPS = ["budget", "size", "length", "concurrency", "hits"];
const GRADIENTS = ["gradients", "directions"];
/** Those that need what bench/peers/install.sh installs. */
const WITH_PEERS = ["peers", "gradient-peers"];
const PARTS = ["cold", "cached", "latency", "scaling", ...SWEEPS, ...GRADIENTS, ...WITH_PEERS];
const PEERS = ["sentence-transformers", "litserve", "infinity"];
const PRECISIONS = ["fp32", "int8"];

export const USAGE = `npm run bench -- [DATA.jsonl] [flags]

DATA.jsonl             lines of {query, document[, id, label]}; default test/fixtures/pairs.jsonl
--only PART,…          of ${PARTS.join(", ")}; default all but the last two
--peers [--peer NAME,…]  these two too; peers are ${PEERS.join(", ")} (install them with bench/peers/install.sh)
--precision P,…        fp32, int8; default both
--rounds N             interleaved repetitions, default 7
--out FILE             results, default bench/results/<date>-<commit>.json; figures of the same commit and data are merged
--model DIR            model folder, default models/default
--quick                few pairs, two rounds: a smoke run, its figures mean nothing
`;

/** Flags as numbers, lists and absolute paths; throws an Error that names the fault. */
export function readOptions(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      only: { type: "string" },
      peers: { type: "boolean", default: false },
      peer: { type: "string", default: PEERS.join(",") },
      precision: { type: "string", default: PRECISIONS.join(",") },
      rounds: { type: "string" },
      out: { type: "string" },
      model: { type: "string", default: `${ROOT}models/default` },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (positionals.length > 1) throw new Error(`one data file, not ${positionals.length}`);
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 7));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds} is not a count`);
  const preset = PARTS.filter((part) => !WITH_PEERS.includes(part));
  const parts = values.only === undefined ? preset : listOf(values.only, PARTS, "--only");
  if (values.peers) parts.push(...WITH_PEERS.filter((part) => !parts.includes(part)));
  return {
    data: resolve(positionals[0] ?? `${ROOT}test/fixtures/pairs.jsonl`),
    parts,
    peers: listOf(values.peer, PEERS, "--peer"),
    precisions: listOf(values.precision, PRECISIONS, "--precision"),
    rounds,
    out: values.out === undefined ? undefined : resolve(values.out),
    model: resolve(values.model),
    quick: values.quick,
    help: values.help,
  };
}

function listOf(text, known, flag) {
  const names = text.split(",").map((name) => name.trim());
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined) throw new Error(`${flag} knows ${known.join(", ")}, not ${stranger}`);
  return names;
}

/** Name of a file without its folder: results name no path of the machine. */
export const nameOf = (path) => basename(path);
