// Observations into the embedded store: by Arrow, JSON lines and JSON, against a bare lmdb loop with the same reads and puts.
//   npm run build && node bench/bulk/observations.mjs [--rounds 5] [--samples 200000] [--sides arrow,json] [--out FILE]
// Each side has a new data directory and a process of its own in each round. The sides take turns, and the ratio is taken within
// each round. `again` posts the same ids for a second checkpoint, so that each sample has a record and a history. Before that, each
// process does the same once with another dataset, because a service that has just started compiles its code.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { cpuMs, makePlace, startOurs } from "../cached/places.mjs";
import { describeMachine } from "../machine.mjs";
import { linesOf, observed, observedByArrow } from "./bodies.mjs";
import { BATCH, idsOf } from "./ids.mjs";
import { perSecond, spread } from "./spread.mjs";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    samples: { type: "string", default: "200000" },
    sides: { type: "string", default: "arrow,ndjson,json" },
    orders: { type: "string", default: "ascending,random" },
    dist: { type: "string", default: "dist" },
    out: { type: "string" },
  },
});
const count = Number(flags.samples);
const dist = resolve(flags.dist);
/** Samples of a JSON body: the most that the service takes by default. */
const JSON_SAMPLES = 2048;
const PASSES = ["new", "again"];

const TYPES = {
  arrow: {
    type: "application/vnd.apache.arrow.stream",
    bodies: (samples) => [observedByArrow(samples, BATCH)],
  },
  ndjson: { type: "application/x-ndjson", bodies: (samples) => [linesOf(samples)] },
  json: { type: "application/json", bodies: jsonBodies },
};

const results = [];
for (const order of flags.orders.split(",")) {
  const samples = observed(idsOf(order, count));
  const sides = flags.sides.split(",");
  const bodies = Object.fromEntries(
    sides.map((side) => [side, PASSES.map((pass) => TYPES[side].bodies(samples, pass))]),
  );
  const rounds = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    const figures = {};
    const turns = round % 2 === 0 ? ["bare", ...sides] : [...sides, "bare"];
    for (const side of turns) figures[side] = side === "bare" ? bare(order) : await ours(side, bodies[side]);
    rounds.push(figures);
  }
  for (const pass of PASSES) for (const side of [...sides, "bare"]) report(order, pass, side, rounds);
}
if (flags.out !== undefined)
  writeFileSync(flags.out, `${JSON.stringify({ machine: describeMachine(), flags, results }, null, 2)}\n`);

/** Wall and processor time of the service for each pass. */
async function ours(side, bodies) {
  const place = await makePlace("lmdb", dist);
  const env = { ...place.env, ASSAY_DEFAULT_MODEL: "none" };
  const server = await startOurs(dist, env, /listens on/);
  try {
    for (const number of PASSES.keys())
      for (const body of bodies[number]) await post(server.port, side, body, { dataset: "warm", number });
    const passes = {};
    for (const [number, pass] of PASSES.entries()) {
      const before = cpuMs(server.pid);
      const startedAtMs = performance.now();
      for (const body of bodies[number]) await post(server.port, side, body, { dataset: "bench", number });
      passes[pass] = { wallMs: performance.now() - startedAtMs, cpuMs: cpuMs(server.pid) - before };
    }
    return passes;
  } finally {
    await server.stop();
    await place.remove();
  }
}

async function post(port, side, body, { dataset, number }) {
  const query = `checkpoint=e${number}&step=${number}&loss=bce&mode=train`;
  const url = `http://127.0.0.1:${port}/v1/datasets/${dataset}/observations${side === "json" ? "" : `?${query}`}`;
  const headers = { "content-type": TYPES[side].type };
  const response = await fetch(url, { method: "POST", headers, body });
  const answer = await response.text();
  const { samples } = JSON.parse(answer.trim().split("\n").at(-1));
  if (samples === undefined) throw new Error(`${side} answered ${answer}`);
}

function jsonBodies(samples, pass) {
  const number = PASSES.indexOf(pass);
  const facts = { checkpoint: { name: `e${number}`, step: number }, loss: "bce", mode: "train" };
  const bodies = [];
  for (let start = 0; start < samples.length; start += JSON_SAMPLES)
    bodies.push(JSON.stringify({ ...facts, samples: samples.slice(start, start + JSON_SAMPLES) }));
  return bodies;
}

function bare(order) {
  const script = fileURLToPath(new URL("bare-lmdb.mjs", import.meta.url));
  const { stdout, status } = spawnSync(process.execPath, [script, order, String(count)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`the bare loop ended with ${status}`);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return Object.fromEntries(lines.map(({ pass, ...times }) => [pass, times]));
}

function report(order, pass, side, rounds) {
  const of = (field, name = side) => rounds.map((figures) => figures[name][pass][field]);
  const ratios = (field) => of(field, "bare").map((ms, round) => ms / of(field)[round]);
  const result = { order, pass, side };
  for (const field of ["wallMs", "cpuMs"])
    result[field] = { values: of(field), toBare: ratios(field), perSecond: perSecond(count, of(field)) };
  results.push(result);
  console.log(
    `${order} ids, ${pass}, ${side}: ${spread(result.wallMs.perSecond, 0)} samples/s, ${spread(result.wallMs.toBare, 2)} of bare; ` +
      `a second of processor ${spread(result.cpuMs.perSecond, 0)}, ${spread(result.cpuMs.toBare, 2)} of bare`,
  );
}
