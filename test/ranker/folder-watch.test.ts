import { cpSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Caller, Rankers, Wanted } from "../../src/ranker/port.js";
import { openRankers } from "../../src/ranker/rankers.js";
import { until } from "../support/load.js";
import { chunksOf, copiesOfShipped, editManifest, shiftedWeights, uploadOf } from "../support/model.js";
import { FP32, INT8 } from "../support/outputs.js";
import { rankerOptions } from "../support/ranker.js";

const TEXT = { first: "usb c cable", second: "USB-C charging cable, 2 m" };
const never: Caller = { signal: new AbortController().signal, deadlineAtMs: null };

/** Looks at nothing of its own accord within a test. */
const NEVER_MS = 2 ** 30;

interface Replica {
  readonly rankers: Rankers;
  /** How attempts to replace the model ended. */
  readonly told: string[];
}

async function openReplica(models: string, watchMs: number, pinned = ["default"]): Promise<Replica> {
  const told: string[] = [];
  const rankers = await openRankers({
    modelsDirectory: models,
    defaultName: "default",
    pinned,
    watchMs,
    weightsBytesMax: 2 ** 30,
    ranker: rankerOptions(),
    onReplacement: (model, { kind, outcome }) => told.push(`${model} ${kind} ${outcome}`),
    onFaulty: () => undefined,
  });
  onTestFinished(() => rankers.close());
  return { rankers, told };
}

function logitOf(rankers: Rankers, wanted: Wanted = FP32, name = "default"): Promise<number> {
  return rankers.use(name, async (ranker) => (await ranker.run([TEXT], wanted, never)).logits[0] as number);
}

const versionOf = (rankers: Rankers, name = "default"): string => rankers.inspect(name).model.version;

describe("a service whose models folder another one writes into", () => {
  it("tells a request to come back that needs a graph of the old files, and then answers by the new ones", async () => {
    const models = copiesOfShipped("default");
    const [first, second] = [await openReplica(models, NEVER_MS), await openReplica(models, NEVER_MS)];
    const before = await logitOf(second.rankers);
    const int8 = await logitOf(first.rankers, INT8);
    const { version } = await first.rankers.replaceWeights(
      "default",
      chunksOf(uploadOf(shiftedWeights(join(models, "default"), 1))),
    );
    expect(await logitOf(second.rankers)).toBe(before); // its session is open: one version, and it says which
    await expect(logitOf(second.rankers, INT8)).rejects.toMatchObject({
      code: "model_not_ready",
      message: expect.stringContaining("send the request again"),
      retryAfterMs: expect.any(Number),
    });
    await until(() => versionOf(second.rankers) === version, "the second takes the new weights");
    expect(await logitOf(second.rankers, INT8)).toBeCloseTo(int8 + 1, 4);
    expect(await logitOf(second.rankers)).toBeCloseTo(before + 1, 4);
    expect(first.told).toEqual(["default weights swapped"]);
    await until(() => second.told.length > 0, "the swap is told");
    expect(second.told).toEqual(["default changed swapped"]);
  });

  it("takes up new weights without a request, also of a model that is idle, and its own only once", async () => {
    const models = copiesOfShipped("default", "idle");
    const [first, second] = [await openReplica(models, 100), await openReplica(models, 100)];
    const before = await logitOf(second.rankers);
    for (const name of ["default", "idle"]) {
      const upload = chunksOf(uploadOf(shiftedWeights(join(models, name), 1)));
      await first.rankers.replaceWeights(name, upload);
      await until(
        () => versionOf(second.rankers, name) === versionOf(first.rankers, name),
        `the second takes the new weights of ${name}`,
      );
    }
    expect(second.rankers.inspect("idle").state.status).toBe("idle");
    expect(await logitOf(second.rankers)).toBeCloseTo(before + 1, 4);
    expect(await logitOf(second.rankers, FP32, "idle")).toBeCloseTo(before + 1, 4);
    await delay(500);
    expect(first.told).toEqual(["default weights swapped", "idle weights swapped"]);
    expect(second.told).toEqual(["default changed swapped", "idle changed swapped"]);
  });

  it("serves on while a folder is half written, says so once, and takes the whole", async () => {
    const models = copiesOfShipped("default");
    const folder = join(models, "default");
    const { rankers, told } = await openReplica(models, 100);
    const before = await logitOf(rankers);
    const { header, weights } = shiftedWeights(folder, 1);
    editManifest(folder, (manifest) => ({
      ...manifest,
      self_test: header.self_test,
      files: { ...manifest.files, "weights.bin": header.weights },
    }));
    await until(() => told.length > 0, "the half-written folder is refused");
    await delay(500);
    expect(told).toEqual(["default changed refused"]);
    expect(await logitOf(rankers)).toBe(before);
    writeFileSync(join(folder, "weights.bin.part"), weights);
    renameSync(join(folder, "weights.bin.part"), join(folder, "weights.bin"));
    await until(() => told.length > 1, "the whole folder is taken");
    expect(told[1]).toBe("default changed swapped");
    expect(await logitOf(rankers)).toBeCloseTo(before + 1, 4);
  });

  it("does not load a folder again that holds what it serves", async () => {
    const models = copiesOfShipped("default");
    const folder = join(models, "default");
    const { rankers, told } = await openReplica(models, 50);
    await logitOf(rankers);
    const manifest = readFileSync(join(folder, "model.json"));
    writeFileSync(join(folder, "model.json"), manifest);
    cpSync(join(folder, "config.json"), join(folder, "notes.json"));
    await delay(500);
    expect(told).toEqual([]);
  });

  it("lets a reload that somebody asks for wait for the one that it began itself", async () => {
    const models = copiesOfShipped("default");
    const [first, second] = [await openReplica(models, NEVER_MS), await openReplica(models, NEVER_MS)];
    await logitOf(second.rankers);
    await first.rankers.replaceWeights(
      "default",
      chunksOf(uploadOf(shiftedWeights(join(models, "default"), 1))),
    );
    await expect(logitOf(second.rankers, INT8)).rejects.toMatchObject({ code: "model_not_ready" });
    expect((await second.rankers.reload("default")).version).toBe(versionOf(first.rankers));
    expect(second.told).toEqual(["default changed swapped", "default reload swapped"]);
  });
});
