import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ROOT } from "./options.mjs";

/** Where results go by default: one file a day and commit. */
export function resultsPath(commit) {
  return join(ROOT, "bench/results", `${new Date().toISOString().slice(0, 10)}-${commit}.json`);
}

/**
 * Writes the run's figures. Those of an earlier run of the same commit on the same data and machine stay, except where this
 * run measured them again: a bench that is run in parts ends in one file. Answers all figures of the file.
 */
export async function writeResults(path, run) {
  const earlier = existsSync(path) ? JSON.parse(await readFile(path, "utf8")) : null;
  const figures = earlier === null || !isSame(earlier, run) ? [] : earlier.figures;
  const measured = new Set(run.figures.map(({ part, precision }) => `${part} ${precision}`));
  const kept = figures.filter(({ part, precision }) => !measured.has(`${part} ${precision}`));
  const all = { ...run, figures: [...kept, ...run.figures].map(rounded) };
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify(all, null, 1)}\n`);
  return all;
}

function isSame(earlier, run) {
  const of = ({ commit, changed, machine, data, quick }) =>
    JSON.stringify([commit, changed, machine, data, quick]);
  return of(earlier) === of(run);
}

/** Six digits are more than a measurement has. */
function rounded(value) {
  if (typeof value === "number") return Number(value.toPrecision(6));
  if (Array.isArray(value)) return value.map(rounded);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, rounded(inner)]));
}
