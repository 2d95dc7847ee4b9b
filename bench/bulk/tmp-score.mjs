// Scoring of samples whose outputs are in the store: an Arrow stream in and out, JSON lines, and JSON in bodies of 2,048 samples.
//   npm run build && node bench/bulk/score.mjs [--rounds 9] [--samples 100000] [--sides arrow,ndjson] [--out FILE]
// The formats take turns on one server, and the ratio to JSON is taken within each round.
import { fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request } from "node:http";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Float64, Utf8 } from "apache-arrow";
import { cpuMs } from "../cached/places.mjs";
import { describeMachine } from "../machine.mjs";
import { arrowBody, linesOf } from "./bodies.mjs";
import { perSecond, spread } from "./spread.mjs";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    samples: { type: "string", default: "100000" },
    sides: { type: "string", default: "arrow,ndjson" },
    rows: { type: "string", default: "4096" },
    dist: { type: "string", default: "dist" },
    out: { type: "string" },
  },
});
const count = Number(flags.samples);
/** Samples of a JSON body: the most that the service takes by default. */
const JSON_SAMPLES = 2048;
const samples = Array.from({ length: count }, (_, index) => ({
  id: `q${index % 997}:p${index}`,
  query: `usb c cable ${index % 997} m`,
  document: `USB-C to USB-C charging cable, 2 m, 60 W, braided, black, no. ${index}`,
  label: index % 2,
}));

const column = (type, name) => [type, samples.map((sample) => sample[name])];
const columns = {
  id: column(new Utf8(), "id"),
  query: column(new Utf8(), "query"),
  document: column(new Utf8(), "document"),
  label: column(new Float64(), "label"),
};
const WORK = {
  arrow: { type: "application/vnd.apache.arrow.stream", bodies: [arrowBody(columns, Number(flags.rows))] },
  ndjson: { type: "application/x-ndjson", bodies: [linesOf(samples)] },
  json: { type: "application/json", bodies: jsonBodies() },
};
const sides = flags.sides.split(",");

const script = fileURLToPath(new URL("score-server.mjs", import.meta.url));
const server = fork(script, [resolve(flags.dist)], { execArgv: profiled() });
const [{ port }] = await once(server, "message");

for (const side of sides) await run(side);
const rounds = [];
for (let round = 0; round < Number(flags.rounds); round++) {
  const figures = {};
  for (const side of round % 2 === 0 ? sides : sides.toReversed()) figures[side] = await run(side);
  rounds.push(figures);
}
server.disconnect();
await once(server, "exit");

const results = sides.map((side) => {
  const of = (field, name = side) => rounds.map((figures) => figures[name][field]);
  const toJson = (field) => of(field, sides[0]).map((ms, round) => ms / of(field)[round]);
  const times = (field) => ({
    values: of(field),
    toJson: toJson(field),
    perSecond: perSecond(count, of(field)),
  });
  return { side, wallMs: times("wallMs"), cpuMs: times("cpuMs") };
});
for (const { side, wallMs, cpuMs: cpu } of results)
  console.log(
    `${side}: ${spread(wallMs.perSecond, 0)} samples/s, ${spread(wallMs.toJson, 2)} of JSON; ` +
      `a second of processor ${spread(cpu.perSecond, 0)}, ${spread(cpu.toJson, 2)} of JSON`,
  );
if (flags.out !== undefined)
  writeFileSync(flags.out, `${JSON.stringify({ machine: describeMachine(), flags, results }, null, 2)}\n`);

/** Scores all samples once. */
async function run(side) {
  const { type, bodies } = WORK[side];
  const before = cpuMs(server.pid);
  const startedAtMs = performance.now();
  for (const body of bodies) await post(side, type, body);
  return { wallMs: performance.now() - startedAtMs, cpuMs: cpuMs(server.pid) - before };
}

/** Posts a body on a connection of its own, reads the answer while it sends, and throws it away. */
async function post(side, type, body) {
  const sent = request({
    ...{ port, path: "/v1/score", method: "POST", agent: false },
    headers: { "content-type": type, "content-length": Buffer.byteLength(body) },
  });
  sent.end(body);
  const [answer] = await once(sent, "response");
  if (answer.statusCode !== 200) throw new Error(`${side} answered ${answer.statusCode}`);
  answer.resume();
  await once(answer, "end");
}

function jsonBodies() {
  const bodies = [];
  for (let start = 0; start < count; start += JSON_SAMPLES)
    bodies.push(JSON.stringify({ weighting: null, samples: samples.slice(start, start + JSON_SAMPLES) }));
  return bodies;
}

/** BENCH_PROFILE=folder writes a CPU profile of the server there. */
function profiled() {
  const folder = process.env.BENCH_PROFILE;
  return folder === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", folder];
}
