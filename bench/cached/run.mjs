// Look-ups and fully cached scoring: the service against a bare Fastify route over the same records.
//   npm run build && node bench/cached/run.mjs [--stores lmdb,redis] [--work lookup,score] [--rounds 9] [--out FILE]
// Both sides run at once, are loaded in turns (a warm-up, then `rounds` rounds of `--seconds` each), and the ratio is taken
// within each round. A last line tells what the client used of its core: under 1, it was not the bottleneck.
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { cpuMs, makePlace, startBare, startClient, startOurs } from "./places.mjs";
import { lookUpWork, scoreWork } from "./work.mjs";

const { values: flags } = parseArgs({
  options: {
    stores: { type: "string", default: "lmdb,redis" },
    work: { type: "string", default: "lookup,score" },
    rounds: { type: "string", default: "9" },
    seconds: { type: "string", default: "1" },
    connections: { type: "string", default: "8" },
    samples: { type: "string", default: "100000" },
    dist: { type: "string", default: "dist" },
    out: { type: "string" },
  },
});
const dist = resolve(flags.dist);
const rounds = Number(flags.rounds);
const works = { lookup: lookUpWork, score: scoreWork };
const results = [];

for (const kind of flags.stores.split(",")) {
  for (const name of flags.work.split(",")) results.push(await compare(kind, name));
}
if (flags.out !== undefined) {
  const machine = { cpu: cpus()[0].model, cores: cpus().length, node: process.version };
  writeFileSync(flags.out, `${JSON.stringify({ machine, flags, results }, null, 2)}\n`);
}

async function compare(kind, name) {
  const place = await makePlace(kind, dist);
  const client = startClient();
  const servers = [];
  try {
    const work = await works[name](place, Number(flags.samples));
    const ours = await startOurs(dist, place.env);
    servers.push(ours);
    await work.prepare(ours);
    const bare = await startBare(place.location);
    servers.push(bare);
    const sides = {
      ours: { server: ours, path: work.oursPath },
      bare: { server: bare, path: work.barePath },
    };
    await work.check(sides);
    const measured = { ours: [], bare: [] };
    for (let round = -2; round < rounds; round++) {
      for (const side of round % 2 === 0 ? ["ours", "bare"] : ["bare", "ours"]) {
        const figures = await load(client, sides[side], work, place);
        if (round >= 0) measured[side].push(figures);
      }
    }
    return report(kind, name, work, measured);
  } finally {
    client.stop();
    for (const server of servers) await server.stop();
    await place.remove();
  }
}

async function load(client, { server, path }, { bodies, itemsPerRequest }, place) {
  const before = { server: cpuMs(server.pid), store: place.pid ? cpuMs(place.pid) : 0 };
  const job = {
    port: server.port,
    path,
    bodies,
    connections: Number(flags.connections),
    durationMs: 1000 * flags.seconds,
  };
  const { requests, statuses, wallMs, latenciesMs, clientCpuMs } = await client.run(job);
  if (Object.keys(statuses).join() !== "200") throw new Error(`${path} answered ${JSON.stringify(statuses)}`);
  return {
    itemsPerSecond: (requests * itemsPerRequest * 1000) / wallMs,
    requestsPerSecond: (requests * 1000) / wallMs,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    serverCpuMs: (cpuMs(server.pid) - before.server) / requests,
    storeCpuMs: place.pid ? (cpuMs(place.pid) - before.store) / requests : 0,
    clientCpuShare: clientCpuMs / wallMs,
  };
}

function report(kind, name, { unit }, { ours, bare }) {
  const ratios = ours.map((figures, round) => figures.itemsPerSecond / bare[round].itemsPerSecond);
  const cpuRatios = ours.map((figures, round) => figures.serverCpuMs / bare[round].serverCpuMs);
  console.log(
    `\n${name}, ${kind}: ours / bare = ${spread(ratios, 2)} in ${unit}/s; cost ${spread(
      ratios.map((r) => 1 / r),
      2,
    )}`,
  );
  for (const [side, figures] of Object.entries({ ours, bare })) {
    const of = (field, digits = 2) =>
      spread(
        figures.map((each) => each[field]),
        digits,
      );
    console.log(
      `  ${side.padEnd(5)} ${of("itemsPerSecond", 0)} ${unit}/s, p50 ${of("p50Ms")} ms, p99 ${of("p99Ms")} ms, ` +
        `processor a request ${of("serverCpuMs")} ms, of the store ${of("storeCpuMs")} ms; client ${of("clientCpuShare")} of a core`,
    );
  }
  console.log(`  processor of the server, ours / bare: ${spread(cpuRatios, 2)}`);
  return { kind, name, unit, ratio: summary(ratios), cpuRatio: summary(cpuRatios), ours, bare };
}

function summary(values) {
  return { median: quantile(values, 0.5), min: Math.min(...values), max: Math.max(...values), values };
}

function spread(values, digits) {
  const { median, min, max } = summary(values);
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

function quantile(values, share) {
  const ascending = [...values].sort((a, b) => a - b);
  const at = (ascending.length - 1) * share;
  const below = ascending[Math.floor(at)];
  return below + (ascending[Math.ceil(at)] - below) * (at - Math.floor(at));
}
