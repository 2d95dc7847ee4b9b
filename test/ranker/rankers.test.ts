import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { AssayError } from "../../src/errors.js";
import type { Caller, Rankers } from "../../src/ranker/port.js";
import { openRankers, type ReplacementFacts } from "../../src/ranker/rankers.js";
import { temporaryFolder } from "../support/app.js";
import {
  chunksOf,
  copiesOfShipped,
  copyShipped,
  describeBytes,
  editManifest,
  readManifest,
  selfTestOf,
  shiftedWeights,
  type UploadParts,
  uploadOf,
  withHeader,
} from "../support/model.js";
import { FP32, INT8 } from "../support/outputs.js";
import { rankerOptions } from "../support/ranker.js";

const TEXT = { first: "usb c cable", second: "USB-C charging cable, 2 m" };
const never: Caller = { signal: new AbortController().signal, deadlineAtMs: null };

interface Opened {
  readonly rankers: Rankers;
  readonly replacements: (ReplacementFacts & { model: string })[];
  /** Changes of readiness that the service is told of. */
  readonly states: string[];
  /** Folders that cannot be served, and why. */
  readonly faulty: string[];
}

async function open(
  models: string,
  pinned: readonly string[] = [],
  availableMemory: () => number | null = () => null,
): Promise<Opened> {
  const replacements: Opened["replacements"] = [];
  const states: string[] = [];
  const faulty: string[] = [];
  const options = rankerOptions();
  const rankers = await openRankers({
    modelsDirectory: models,
    defaultName: "default",
    pinned,
    weightsBytesMax: 2 ** 30,
    ranker: {
      ...options,
      availableMemory,
      observer: { ...options.observer, state: (model, { status }) => states.push(`${model} ${status}`) },
    },
    onReplacement: (model, facts) => replacements.push({ model, ...facts }),
    onFaulty: (model, reason) => faulty.push(`${model}: ${reason}`),
  });
  onTestFinished(() => rankers.close());
  return { rankers, replacements, states, faulty };
}

async function logitOf(rankers: Rankers, name = "default"): Promise<number> {
  return rankers.use(name, async (ranker) => (await ranker.run([TEXT], FP32, never)).logits[0] as number);
}

function put(rankers: Rankers, parts: { header: object; weights: Buffer }, name = "default") {
  return rankers.replaceWeights(name, chunksOf(uploadOf(parts)));
}

describe("a model that does not fit into memory", () => {
  it("is refused before its engine starts, with what it needs, what there is and what to do", async () => {
    await expect(open(copiesOfShipped("default"), [], () => 100_000_000)).rejects.toMatchObject({
      code: "memory_insufficient",
      message: expect.stringMatching(
        /^Model default needs about 0\.\d\d GB of memory, and 0\.10 GB are available: .*ASSAY_MEMORY_CHECK=off/,
      ),
    });
  });

  it("is refused by its first request and by a reload, and loaded once there is room", async () => {
    let available = 10 ** 10;
    const { rankers } = await open(copiesOfShipped("default", "lazy"), [], () => available);
    await rankers.get("default").settled();
    available = 10 ** 8;
    await expect(logitOf(rankers, "lazy")).rejects.toMatchObject({ code: "memory_insufficient" });
    await expect(rankers.reload("default")).rejects.toMatchObject({ code: "memory_insufficient" });
    expect(rankers.inspect("lazy").state.status).toBe("idle");
    expect(rankers.inspect("default").state.status).toBe("ready");
    available = 10 ** 10;
    expect(Number.isFinite(await logitOf(rankers, "lazy"))).toBe(true);
  });

  it("refuses a graph that it has not opened yet, and serves the others", async () => {
    let available = 10 ** 10;
    const { rankers } = await open(copiesOfShipped("default"), [], () => available);
    const norms = () => rankers.use("default", (ranker) => ranker.run([TEXT], { graph: "norms" }, never));
    await rankers.get("default").settled();
    available = 10 ** 7;
    await expect(norms()).rejects.toMatchObject({
      code: "memory_insufficient",
      message: expect.stringMatching(/^The norms graph of model default needs about 0\.\d\d GB/),
    });
    expect(Number.isFinite(await logitOf(rankers))).toBe(true);
    available = 10 ** 10;
    expect((await norms()).gram).toHaveLength(1);
    available = 0;
    expect((await norms()).gram).toHaveLength(1);
  });

  it("says what it takes while it is loaded", async () => {
    const { rankers } = await open(copiesOfShipped("default", "lazy"));
    await rankers.get("default").settled();
    const { memory } = rankers.inspect("default");
    const used = (await rankers.memoryBytes("default")) as number;
    expect(used).toBeGreaterThan(50_000_000);
    expect(used).toBeLessThan(memory.forwardBytes);
    expect(memory.forwardBytes).toBeLessThan(memory.allGraphsBytes);
    expect(await rankers.memoryBytes("lazy")).toBeNull();
  });
});

describe("several models", () => {
  it("loads the default and the pinned at once, and another for its first run, which waits", async () => {
    const { rankers } = await open(copiesOfShipped("default", "pinned", "lazy"), ["pinned"]);
    expect(rankers.describe().map(({ name }) => name)).toEqual(["default", "lazy", "pinned"]);
    expect(["default", "lazy", "pinned"].map((name) => rankers.inspect(name).state.status)).toEqual([
      "loading",
      "idle",
      "loading",
    ]);
    expect(Number.isFinite(await logitOf(rankers, "lazy"))).toBe(true);
    expect(rankers.inspect("lazy").state.status).toBe("ready");
  });

  it("lets a run that waits for the load go when it is cancelled", async () => {
    const { rankers } = await open(copiesOfShipped("default"));
    const controller = new AbortController();
    const run = rankers.use("default", (ranker) =>
      ranker.run([TEXT], FP32, { ...never, signal: controller.signal }),
    );
    controller.abort();
    await expect(run).rejects.toMatchObject({ code: "cancelled" });
  });

  it("refuses to start without a pinned model, or with a faulty one", async () => {
    const models = copiesOfShipped("default");
    await expect(open(models, ["absent"])).rejects.toMatchObject({ code: "model_invalid" });
    copyShipped(models, "broken");
    writeFileSync(join(models, "broken", "model.json"), "{nope");
    await expect(open(models, ["broken"])).rejects.toThrow(/broken\/model\.json cannot be read/);
  });

  it("calls a copied folder by its own name, which is all that a second checkpoint needs", async () => {
    const models = copiesOfShipped("default");
    cpSync(join(models, "default"), join(models, "epoch-1"), { recursive: true });
    mkdirSync(join(models, ".epoch-2"));
    cpSync(join(models, "default", "model.json"), join(models, ".epoch-2", "model.json"));
    const { rankers, faulty } = await open(models, ["epoch-1"]);
    expect(faulty).toEqual([]);
    expect(rankers.describe().map(({ name, version }) => [name, version])).toEqual([
      ["default", rankers.inspect("default").model.version],
      ["epoch-1", rankers.inspect("default").model.version],
    ]);
    const model = await put(rankers, shiftedWeights(join(models, "epoch-1"), 1), "epoch-1");
    expect(model.name).toBe("epoch-1");
    expect(await logitOf(rankers, "epoch-1")).toBeCloseTo((await logitOf(rankers)) + 1, 4);
  });

  it("serves the others beside a folder with a fault, says which, and takes it once it is repaired", async () => {
    const models = copiesOfShipped("default", "broken");
    const manifest = readFileSync(join(models, "broken", "model.json"));
    writeFileSync(join(models, "broken", "model.json"), "{nope");
    const { rankers, faulty } = await open(models);
    expect(faulty).toEqual([expect.stringMatching(/^broken: .*model\.json cannot be read/)]);
    expect(rankers.describe().map(({ name }) => name)).toEqual(["default"]);
    expect(rankers.faulty()).toEqual(["broken"]);
    await expect(logitOf(rankers, "broken")).rejects.toMatchObject({
      code: "model_invalid",
      message: expect.stringContaining("repair the folder, then reload"),
    });
    writeFileSync(join(models, "broken", "model.json"), manifest);
    await rankers.reload("broken");
    expect(rankers.faulty()).toEqual([]);
    expect(await logitOf(rankers, "broken")).toBeCloseTo(await logitOf(rankers), 5);
  });
});

describe("a folder that lacks a file of its manifest", () => {
  it("is faulty, and gone from the faulty ones once it is deleted", async () => {
    const models = copiesOfShipped("default", "broken");
    rmSync(join(models, "broken", "forward.onnx"));
    const { rankers, faulty } = await open(models);
    expect(faulty).toEqual(["broken: The folder broken lacks forward.onnx, which its manifest names"]);
    rmSync(join(models, "broken"), { recursive: true });
    await expect(rankers.reload("broken")).rejects.toMatchObject({ code: "model_not_found" });
    expect(rankers.faulty()).toEqual([]);
  });
});

describe("a reload", () => {
  it("takes a folder that was exported again, and says which version serves", async () => {
    const models = copiesOfShipped("default");
    const { rankers, replacements, states } = await open(models);
    const [before, logit] = [rankers.inspect("default").model.version, await logitOf(rankers)];
    exportAgain(models, shiftedWeights(join(models, "default"), 0.5));

    const model = await rankers.reload("default");
    expect(model.version).not.toBe(before);
    expect(rankers.inspect("default").model.version).toBe(model.version);
    expect(await logitOf(rankers)).toBeCloseTo(logit + 0.5, 4);
    expect(replacements).toMatchObject([
      { model: "default", kind: "reload", outcome: "swapped", version: model.version },
    ]);
    // Nobody hears that a model loads which does not serve yet, or that one ends which serves no more.
    expect(states).toEqual(["default ready"]);
  });

  it("finishes what runs on the old one, under the old one's name", async () => {
    const models = copiesOfShipped("default");
    const { rankers } = await open(models);
    const logit = await logitOf(rankers);
    exportAgain(models, shiftedWeights(join(models, "default"), 0.5));
    const old = rankers.inspect("default").model.version;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const during = rankers.use("default", async (ranker) => {
      await held; // as a request that reads the cache first
      return { version: ranker.model.version, outputs: await ranker.run([TEXT], FP32, never) };
    });
    const reload = rankers.reload("default");
    while (rankers.inspect("default").model.version === old) await delay(10);

    expect(await logitOf(rankers)).toBeCloseTo(logit + 0.5, 4);
    release();
    expect((await during).version).toBe(old);
    expect((await during).outputs.logits[0]).toBeCloseTo(logit, 4);
    expect((await reload).version).not.toBe(old);
  });

  it("reads a folder that is new, and knows no other name", async () => {
    const models = copiesOfShipped("default");
    const { rankers, replacements } = await open(models);
    await expect(rankers.reload("new")).rejects.toMatchObject({ code: "model_not_found" });
    await expect(rankers.reload("../default")).rejects.toMatchObject({ code: "model_not_found" });
    copyShipped(models, "new");
    expect((await rankers.reload("new")).name).toBe("new");
    expect(rankers.describe().map(({ name }) => name)).toEqual(["default", "new"]);
    expect(replacements.map(({ model }) => model)).toEqual(["new"]);
    expect(Number.isFinite(await logitOf(rankers, "new"))).toBe(true);
  });

  it.each<[string, RegExp, (folder: string) => void]>([
    ["weights that do not match their digest", /weights\.bin does not match/, flipOneBit],
    ["weights that no digest vouches for", /reads weights from weights\.bin/, forgetWeights],
    ["another logit in its self-test", /Self-test .* sample 0/, expectOtherLogit],
    [
      "a manifest that is not JSON",
      /model\.json/,
      (folder) => writeFileSync(join(folder, "model.json"), "{"),
    ],
    ["no manifest any more", /no longer has a model\.json/, (folder) => rmSync(join(folder, "model.json"))],
  ])("refuses a folder with %s, and the old one serves on", async (_about, why, spoil) => {
    const models = copiesOfShipped("default");
    const { rankers, replacements } = await open(models);
    const [before, logit] = [rankers.inspect("default").model, await logitOf(rankers)];
    spoil(join(models, "default"));

    const error = await rankers.reload("default").catch((thrown: AssayError) => thrown);
    expect(error).toMatchObject({ code: "model_rejected", message: expect.stringMatching(why) });
    expect((error as AssayError).message).not.toMatch(/\/tmp|try again/);
    expect(rankers.inspect("default")).toMatchObject({ model: before, state: { status: "ready" } });
    expect(await logitOf(rankers)).toBe(logit);
    expect(replacements).toMatchObject([{ outcome: "refused", reason: expect.stringMatching(why) }]);
  });

  it("is refused while another goes on", async () => {
    const { rankers } = await open(copiesOfShipped("default"));
    const first = rankers.reload("default");
    await expect(rankers.reload("default")).rejects.toMatchObject({ code: "model_busy" });
    await first;
    await rankers.reload("default");
  });
});

describe("new weights", () => {
  it("serve at once, lie in the folder, and are there after a restart", async () => {
    const models = copiesOfShipped("default");
    const { rankers } = await open(models);
    const [before, logit] = [rankers.inspect("default").model, await logitOf(rankers)];
    const parts = shiftedWeights(join(models, "default"), -0.25);

    const model = await put(rankers, parts);
    expect(model.version).not.toBe(before.version);
    expect(model.provenance).toEqual({ recipe: "bias + -0.25" });
    expect(await logitOf(rankers)).toBeCloseTo(logit - 0.25, 4);
    expect(readManifest(join(models, "default")).files["weights.bin"]).toEqual(parts.header.weights);
    expect(describeBytes(readFileSync(join(models, "default", "weights.bin")))).toEqual(parts.header.weights);
    await rankers.close();
    expect(hidden(models)).toEqual([]);

    const restarted = await open(models);
    expect(restarted.rankers.inspect("default").model.version).toBe(model.version);
    expect(await logitOf(restarted.rankers)).toBeCloseTo(logit - 0.25, 4);
  });

  it("replace each other, and leave nothing but the last", async () => {
    const models = copiesOfShipped("default");
    const { rankers } = await open(models);
    const logit = await logitOf(rankers);
    for (const shift of [1, 1]) await put(rankers, shiftedWeights(join(models, "default"), shift));
    expect(await logitOf(rankers)).toBeCloseTo(logit + 2, 4);
    expect(hidden(models)).toHaveLength(1); // what the present engine runs from
  });

  it("run int8 from the same weights, though its session opens later", async () => {
    const models = copiesOfShipped("default");
    const { rankers } = await open(models);
    const int8 = async (): Promise<number> =>
      rankers.use("default", async (ranker) => (await ranker.run([TEXT], INT8, never)).logits[0] as number);
    const before = await int8();
    await put(rankers, shiftedWeights(join(models, "default"), 2));
    expect(await int8()).toBeCloseTo(before + 2, 4);
  });

  it.each<[string, RegExp, (parts: UploadParts) => Buffer]>([
    ["a body cut short", /ends after \d+ of/, (parts) => uploadOf(parts).subarray(0, -1)],
    [
      "logits that it does not give",
      /Self-test .* sample 0/,
      (parts) => uploadOf(withHeader({ self_test: selfTestOf(9) })(parts)),
    ],
  ])("are refused with %s, and the old ones serve on", async (_about, why, spoil) => {
    const models = copiesOfShipped("default");
    const { rankers, replacements } = await open(models);
    const [before, logit] = [rankers.inspect("default").model, await logitOf(rankers)];
    const manifest = readManifest(join(models, "default"));

    const bytes = spoil(shiftedWeights(join(models, "default"), 1));
    const error = await rankers.replaceWeights("default", chunksOf(bytes)).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "weights_invalid", message: expect.stringMatching(why) });
    expect(error.message).not.toMatch(/\/tmp|try again/);
    expect(rankers.inspect("default").model).toEqual(before);
    expect(await logitOf(rankers)).toBe(logit);
    expect(readManifest(join(models, "default"))).toEqual(manifest);
    expect(hidden(models)).toEqual([]);
    expect(replacements).toMatchObject([{ kind: "weights", outcome: "refused" }]);
  });

  it("are refused for a folder that cannot be written", async () => {
    const models = copiesOfShipped("default");
    const { rankers } = await open(models);
    const parts = shiftedWeights(join(models, "default"), 1);
    const error = await withoutWriting(join(models, "default"), () =>
      put(rankers, parts).catch((thrown) => thrown),
    );
    expect(error).toMatchObject({ code: "model_read_only", message: expect.stringMatching(/EACCES/) });
    expect(Number.isFinite(await logitOf(rankers))).toBe(true);
  });

  it("say so where they serve and could not be kept", async () => {
    const models = copiesOfShipped("default");
    const { rankers, replacements } = await open(models);
    const before = rankers.inspect("default").model.version;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const during = rankers.use("default", () => held);
    const replaced = put(rankers, shiftedWeights(join(models, "default"), 1)).catch((thrown) => thrown);
    while (rankers.inspect("default").model.version === before) await delay(10);
    const error = await withoutWriting(join(models, "default"), async () => {
      release();
      await during;
      return replaced;
    });
    expect(error).toMatchObject({
      code: "model_read_only",
      message: expect.stringMatching(/new weights are served, but a restart would serve the old/),
    });
    expect(replacements).toMatchObject([{ version: rankers.inspect("default").model.version }]);
  });

  it("let go of their staging folder when the client goes away", async () => {
    const models = copiesOfShipped("default");
    const { rankers } = await open(models);
    const bytes = uploadOf(shiftedWeights(join(models, "default"), 1));
    async function* brokenOff(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 1_000_000);
      throw new AssayError("cancelled");
    }
    await expect(rankers.replaceWeights("default", brokenOff())).rejects.toMatchObject({ code: "cancelled" });
    expect(hidden(models)).toEqual([]);
    await put(rankers, shiftedWeights(join(models, "default"), 1));
  });
});

/** What an exporter leaves: new weights and manifest under their names, the old ones unlinked. */
function exportAgain(models: string, { header, weights }: UploadParts): void {
  const folder = join(models, "default");
  rmSync(join(folder, "weights.bin"));
  writeFileSync(join(folder, "weights.bin"), weights);
  editManifest(folder, (manifest) => ({
    ...manifest,
    files: { ...manifest.files, "weights.bin": header.weights },
    self_test: header.self_test,
  }));
}

function flipOneBit(folder: string): void {
  const weights = readFileSync(join(folder, "weights.bin"));
  weights[1000] = (weights[1000] as number) ^ 1;
  rmSync(join(folder, "weights.bin"));
  writeFileSync(join(folder, "weights.bin"), weights);
}

/** As if the graph held its weights, which it keeps in another file. */
function forgetWeights(folder: string): void {
  editManifest(folder, ({ files: { "weights.bin": _weights, ...files }, ...manifest }) => ({
    ...manifest,
    parameters: [],
    files,
  }));
}

function expectOtherLogit(folder: string): void {
  editManifest(folder, ({ self_test, ...manifest }) => {
    const [first, ...others] = self_test.samples;
    return { ...manifest, self_test: { ...self_test, samples: [{ ...first, logits: [9] }, ...others] } };
  });
}

/** Names in the model folder that are not part of it. */
function hidden(models: string): string[] {
  return readdirSync(join(models, "default")).filter((name) => /^\.|\.next/.test(name));
}

/** Runs `work` as a user who may read the folder and not write it. */
async function withoutWriting<T>(folder: string, work: () => Promise<T>): Promise<T> {
  chmodSync(dirname(folder), 0o755);
  chmodSync(folder, 0o555);
  const root = process.geteuid?.() === 0;
  if (root) process.seteuid?.(65534);
  try {
    return await work();
  } finally {
    if (root) process.seteuid?.(0);
    chmodSync(folder, 0o755);
    expect(existsSync(folder)).toBe(true);
  }
}

it("opens without a default model, also without a models folder, and finds no model then", async () => {
  const options = {
    ...{ modelsDirectory: join(temporaryFolder(), "missing"), weightsBytesMax: 1, ranker: rankerOptions() },
    ...{ onReplacement: () => undefined, onFaulty: () => undefined },
  };
  const rankers = await openRankers({ ...options, defaultName: null, pinned: [] });
  onTestFinished(() => rankers.close());
  expect({ name: rankers.defaultName, models: rankers.describe() }).toEqual({ name: null, models: [] });
  expect(() => rankers.get("default")).toThrow(expect.objectContaining({ code: "model_not_found" }));
  await expect(openRankers({ ...options, defaultName: "default", pinned: [] })).rejects.toMatchObject({
    code: "model_invalid",
  });
  await expect(openRankers({ ...options, defaultName: null, pinned: ["a"] })).rejects.toMatchObject({
    code: "model_invalid",
  });
});
