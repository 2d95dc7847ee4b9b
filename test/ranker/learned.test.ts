import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createTreesJobs } from "../../src/ranker/engine/host/trees.js";
import { describeModel, readModelFolder } from "../../src/ranker/model-folder.js";
import type { Ranker } from "../../src/ranker/port.js";
import { openRanker } from "../../src/ranker/ranker.js";
import { addLearned, readLearnedOracle } from "../support/learned.js";
import { copiesOfShipped, editManifest, SHIPPED } from "../support/model.js";
import { rankerOptions } from "../support/ranker.js";

const never = new AbortController().signal;

function shippedWithTrees(): string {
  const folder = join(copiesOfShipped("default"), "default");
  addLearned(folder);
  return folder;
}

async function open(folder: string): Promise<Ranker> {
  const ranker = openRanker(await readModelFolder(folder), rankerOptions());
  onTestFinished(() => ranker.close());
  return ranker;
}

describe("trees in a model folder", () => {
  it("leave the version, the digests of the cache and what directions are bound to as they are", async () => {
    const before = describeModel(await readModelFolder(SHIPPED), "fp32");
    const after = describeModel(await readModelFolder(shippedWithTrees()), "fp32");
    expect(before.learned).toBeNull();
    expect(after.learned).toMatchObject({
      target: "gain",
      loss: "bce",
      modelVersion: before.version,
      inputs: { features: 384, signals: ["loss", "entropy", "grad_norm_last"] },
    });
    expect({ ...after, learned: null }).toEqual(before);
  });

  it.each([
    [{ file: "gone.onnx" }, /learned\.file/],
    [{ inputs: { features: 12, signals: [], extras: [] } }, /neither 0 nor the width/],
    [{ inputs: { features: 0, signals: [], extras: [] } }, /names no input/],
    [{ colour: "red" } as object, /Unrecognized key/],
  ])("are refused by the manifest with %j", async (change, message) => {
    const folder = join(copiesOfShipped("default"), "default");
    addLearned(folder, change);
    await expect(readModelFolder(folder)).rejects.toThrow(message);
  });
});

describe("Ranker.learned", () => {
  it("answers each row of a matrix, missing extras too, and jobs in any number at once", async () => {
    const ranker = await open(shippedWithTrees());
    const { inputs } = readLearnedOracle().part;
    const width = inputs.features + inputs.signals.length + inputs.extras.length;
    const rowOf = (seed: number): Float32Array =>
      Float32Array.from({ length: width }, (_, column) => Math.sin(seed * 31 + column));
    const rows = Array.from({ length: 40 }, (_, seed) => rowOf(seed));
    for (const row of rows.slice(0, 20)) row[width - 2] = Number.NaN; // clicks, which may be missing

    const alone = await Promise.all(rows.map((row) => ranker.learned(row, new AbortController().signal)));
    const together = new Float32Array(rows.length * width);
    for (const [index, row] of rows.entries()) together.set(row, index * width);
    const all = await ranker.learned(together, never);

    expect(all).toEqual(Float32Array.from(alone, ([value]) => value as number));
    expect(new Set(all).size).toBeGreaterThan(20);
    expect(all.every(Number.isFinite)).toBe(true);
  });

  it("throws unsuitable_signal for a folder without trees", async () => {
    const ranker = await open(SHIPPED);
    await expect(ranker.learned(new Float32Array(1), never)).rejects.toMatchObject({
      code: "unsuitable_signal",
    });
  });

  it("does not open a file that has changed since the folder was loaded, and says what helps", async () => {
    const folder = shippedWithTrees();
    const ranker = await open(folder);
    await ranker.settled();
    writeFileSync(join(folder, "learned.onnx"), "another");
    const failure = await ranker.learned(new Float32Array(389), never).catch((error: Error) => error);
    expect(failure).toMatchObject({ code: "engine_failed" });
    expect((failure as Error).message).toMatch(/learned\.onnx does not match its digest.*reload/s);
    expect((failure as Error).message).not.toContain(folder);
  });

  it("names trees whose columns are not those of the manifest", async () => {
    const folder = shippedWithTrees();
    editManifest(folder, (manifest) => ({
      ...manifest,
      learned: { ...manifest.learned, inputs: { features: 384, signals: ["loss"], extras: [] } },
    }));
    const ranker = await open(folder);
    await expect(ranker.learned(new Float32Array(385), never)).rejects.toMatchObject({
      code: "engine_failed",
    });
    const [logits] = (
      await ranker.run(
        [{ first: "usb", second: null }],
        { graph: "forward", precision: "fp32" },
        {
          signal: never,
          deadlineAtMs: null,
        },
      )
    ).logits;
    expect(logits).toBeTypeOf("number");
  });
});

describe("jobs of trees", () => {
  const job = expect.objectContaining({ type: "trees", job: 1 });

  it("outlive one end of the process, and not a second", async () => {
    const sent: unknown[] = [];
    const jobs = createTreesJobs(
      (message) => sent.push(message),
      () => undefined,
    );
    const answer = jobs.ask(new Float32Array(2), never);
    jobs.crashed();
    jobs.sendLeft();
    expect(sent).toEqual([job, job]);
    jobs.crashed();
    await expect(answer).rejects.toMatchObject({ code: "engine_failed" });
    expect(jobs.size()).toBe(0);
  });

  it("are answered by the next process", async () => {
    const jobs = createTreesJobs(
      () => undefined,
      () => undefined,
    );
    const answer = jobs.ask(new Float32Array(2), never);
    jobs.crashed();
    jobs.done({ type: "trees_done", job: 1, values: new Float32Array([7]) });
    expect(await answer).toEqual(new Float32Array([7]));
  });

  it("are let go of with the one who waits, and a late answer is nobody's", async () => {
    let settled = 0;
    const jobs = createTreesJobs(
      () => undefined,
      () => {
        settled += 1;
      },
    );
    const controller = new AbortController();
    const answer = jobs.ask(new Float32Array(2), controller.signal);
    controller.abort();
    await expect(answer).rejects.toMatchObject({ code: "cancelled" });
    jobs.done({ type: "trees_done", job: 1, values: new Float32Array(1) });
    expect([jobs.size(), settled]).toEqual([0, 1]);
  });
});
