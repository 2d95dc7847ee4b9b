import { Session } from "node:inspector/promises";
import { expect, onTestFinished, test } from "vitest";
import { startStopwatch } from "../../src/observe/stopwatch.js";
import { scoreSamples } from "../../src/scoring/batch/score.js";
import { temporaryStore } from "../support/app.js";
import { fakeRankers } from "../support/fake-rankers.js";

/** Files that whoever follows one batch reads between its route and the ports, without the formulas. */
const SCORING_FILES_MAX = 14;
/** Files of the mathematics that the batch enters: its signals, weights and diagnostics. */
const IMPORTANCE_FILES_MAX = 20;

/** The files of `src/scoring` and `src/importance` in which a function ran while `work` did. */
async function filesEntered(work: () => Promise<void>): Promise<{ scoring: string[]; importance: string[] }> {
  const session = new Session();
  session.connect();
  onTestFinished(() => session.disconnect());
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
  await session.post("Profiler.takePreciseCoverage");
  await work();
  const { result } = await session.post("Profiler.takePreciseCoverage");
  await session.post("Profiler.stopPreciseCoverage");
  const files = result
    .filter(({ functions }) => functions.some(({ ranges }) => ranges.some(({ count }) => count > 0)))
    .flatMap(({ url }) => url.split("/src/").slice(1))
    .sort();
  const inFolder = (folder: string): string[] => files.filter((file) => file.startsWith(`${folder}/`));
  return { scoring: inFolder("scoring"), importance: inFolder("importance") };
}

test("a batch that no store knows, with a dataset and a weighting, goes through few files", async () => {
  const ports = { rankers: fakeRankers(), store: await temporaryStore() };
  async function score(name: string): Promise<void> {
    const samples = [0, 1].map((label) => ({ id: `${name}${label}`, text: `${name} ${label}`, label }));
    const weighting = { signal: "grad_norm_last", scheme: "proportional" } as const;
    const caller = { signal: new AbortController().signal, deadlineAtMs: null };
    const watch = { caller, stopwatch: startStopwatch() };
    const answer = await scoreSamples(ports, { dataset: "way", weighting, samples }, watch);
    expect(answer.cacheHits).toBe(0);
    await answer.kept;
  }

  await score("modules are loaded");
  const { scoring, importance } = await filesEntered(() => score("counted"));
  expect(scoring).toContain("scoring/batch/score.ts");
  expect(importance).toContain("importance/weights.ts");
  expect(scoring.length, scoring.join("\n")).toBeLessThanOrEqual(SCORING_FILES_MAX);
  expect(importance.length, importance.join("\n")).toBeLessThanOrEqual(IMPORTANCE_FILES_MAX);
});
