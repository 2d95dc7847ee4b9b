import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../options.mjs";
import { figure } from "../rounds.mjs";

const WHAT = { lookup: "look-up of 1,000 ids", score: "score of 256 cached samples" };

/**
 * Requests that need no model, against a bare Fastify route over the same records: bench/cached/run.mjs, 8 connections, on both
 * stores, on lmdb alone where there is no redis-server.
 */
export async function measureCached({ options, report }) {
  const { rounds, quick } = options;
  const redis = spawnSync("redis-server", ["--version"]).error === undefined;
  const folder = await mkdtemp(join(tmpdir(), "assay-bench-"));
  try {
    const out = join(folder, "cached.json");
    const flags = ["--rounds", String(rounds), "--dist", join(ROOT, "dist"), "--out", out];
    flags.push("--stores", redis && !quick ? "lmdb,redis" : "lmdb");
    if (quick) flags.push("--seconds", "0.2", "--samples", "2000");
    const { status } = spawnSync(process.execPath, [join(ROOT, "bench/cached/run.mjs"), ...flags], {
      stdio: ["ignore", 2, 2],
    });
    if (status !== 0) throw new Error(`bench/cached/run.mjs ended with ${status}`);
    for (const result of JSON.parse(await readFile(out, "utf8")).results) reportResult(result, report);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function reportResult({ kind, name, unit, ours, bare }, report) {
  const what = `${WHAT[name]}, ${kind}`;
  const lines = [
    ["itemsPerSecond", `${unit}/s`, ""],
    ["p50Ms", "ms", ", p50"],
    ["serverCpuMs", "ms", ", processor a request"],
  ];
  for (const [field, measure, suffix] of lines) {
    const of = (side) => side.map((round) => round[field]);
    const base = { part: "cached", unit: measure };
    report(figure({ ...base, name: `bare route: ${what}${suffix}`, values: of(bare) }));
    report(
      figure({
        ...base,
        name: `${what}${suffix}`,
        values: of(ours),
        against: { name: "bare route", values: of(bare) },
      }),
    );
  }
  const client = [...ours, ...bare].map((round) => round.clientCpuShare);
  report(figure({ part: "cached", unit: "cores", name: `client of the ${what}`, values: client }));
}
