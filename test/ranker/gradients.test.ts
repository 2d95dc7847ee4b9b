import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readModelFolder } from "../../src/ranker/model-folder.js";
import type { Accumulation, Caller, DirectionVector, Ranker, Text } from "../../src/ranker/port.js";
import { openRanker } from "../../src/ranker/ranker.js";
import { copiesOfShipped, editManifest, SHIPPED } from "../support/model.js";
import { FP32 } from "../support/outputs.js";
import { childPids } from "../support/processes.js";
import { rankerOptions } from "../support/ranker.js";

const caller: Caller = { signal: new AbortController().signal, deadlineAtMs: null };
const texts: readonly Text[] = [
  { first: "usb c cable", second: "USB-C charging cable, 2 m" },
  { first: "water bottle", second: "" },
  { first: "蓝牙耳机", second: "真无线蓝牙耳机 主动降噪 cable cable cable" },
  { first: "usb c cable", second: "a stainless steel bottle that keeps drinks cold ".repeat(6) },
];

/** A direction in memory that counts how often it is read. */
interface Vector extends DirectionVector {
  readonly norm: number;
  reads: number;
}

async function vectorOf(accumulation: Accumulation, scale = 1): Promise<Vector> {
  const { norm, bytes, read } = await accumulation.finish(scale);
  const chunks: Uint8Array[] = [];
  for await (const chunk of read()) chunks.push(chunk);
  await accumulation.release();
  const whole = Buffer.concat(chunks);
  expect(whole).toHaveLength(bytes);
  return vector(whole, norm);
}

function vector(bytes: Buffer, norm = Number.NaN): Vector {
  return {
    digest: createHash("sha256").update(bytes).digest("hex"),
    norm,
    reads: 0,
    // Chunks that end within an entry.
    async *read() {
      this.reads += 1;
      for (let at = 0; at < bytes.length; at += 1_000_001) yield bytes.subarray(at, at + 1_000_001);
    },
  };
}

async function gradientOf(
  ranker: Ranker,
  of: readonly Text[],
  coefficients: readonly number[],
): Promise<Vector> {
  const accumulation = await ranker.accumulate();
  await accumulation.add(of, Float32Array.from(coefficients), caller);
  return vectorOf(accumulation);
}

function along(ranker: Ranker, direction: DirectionVector, of: readonly Text[] = texts) {
  return ranker.run(of, { graph: "tangent", direction }, caller);
}

describe("the gradient graphs of the shipped model", () => {
  let ranker: Ranker;
  beforeAll(async () => {
    ranker = openRanker(await readModelFolder(SHIPPED), { ...rankerOptions(), sessions: 2, threads: 1 });
    await ranker.settled();
  });
  afterAll(() => ranker.close());

  it("agree with one another: along a text's own gradient the tangent is its gram, and so is the norm squared", async () => {
    const norms = await ranker.run(texts, { graph: "norms" }, caller);
    for (const index of [0, 3]) {
      const own = await gradientOf(ranker, [texts[index] as Text], [1]);
      const gram = norms.gram?.[index] as number;
      expect(own.norm ** 2 / gram).toBeCloseTo(1, 5);
      const { tangent, gram: again, logits, featureNormsSquared } = await along(ranker, own);
      expect((tangent?.[index] as number) / gram).toBeCloseTo(1, 5);
      expect((again?.[index] as number) / gram).toBeCloseTo(1, 5);
      const forward = await ranker.run(texts, FP32, caller);
      texts.forEach((_, row) => {
        expect(logits[row]).toBeCloseTo(forward.logits[row] as number, 4);
        expect(featureNormsSquared[row]).toBeCloseTo(forward.featureNormsSquared[row] as number, 3);
      });
    }
  });

  it("sum gradients times their coefficients, whatever batches and calls they come in", async () => {
    const coefficients = [0.5, -2, 0, 1.5];
    const once = await gradientOf(ranker, texts, coefficients);
    const accumulation = await ranker.accumulate();
    await Promise.all(
      texts.map((text, index) =>
        accumulation.add([text], Float32Array.of(coefficients[index] as number), caller),
      ),
    );
    const apart = await vectorOf(accumulation, -3);
    expect(apart.norm / once.norm).toBeCloseTo(3, 5);
    const [a, b] = await Promise.all([along(ranker, once), along(ranker, apart)]);
    texts.forEach((_, row) => {
      const difference = (b.tangent?.[row] as number) + 3 * (a.tangent?.[row] as number);
      const scale = once.norm * Math.sqrt(a.gram?.[row] as number);
      expect(Math.abs(difference) / scale).toBeLessThan(1e-5);
    });
  });

  it("read a direction once while it is kept, and again when others took its place", async () => {
    const sums = await ranker.accumulate();
    const { bytes } = await sums.finish(1);
    await sums.release();
    const [one, two, three] = [1, 2, 3].map((value) =>
      vector(Buffer.from(new Float32Array(bytes / 4).fill(value).buffer)),
    ) as [Vector, Vector, Vector];
    const first = (await along(ranker, one, texts.slice(0, 1))).tangent?.[0] as number;
    const answers = await Promise.all(
      [one, two, three, one].map((direction) => along(ranker, direction, texts.slice(0, 1))),
    );
    answers.forEach(({ tangent }, index) => {
      expect((tangent?.[0] as number) / first).toBeCloseTo([1, 2, 3, 1][index] as number, 3);
    });
    await along(ranker, three, texts.slice(0, 1));
    expect([two.reads, three.reads]).toEqual([1, 1]);
    expect(one.reads).toBe(2);
  });

  it("reject a direction of another size, and one that cannot be read", async () => {
    await expect(along(ranker, vector(Buffer.alloc(40)))).rejects.toMatchObject({ code: "internal" });
    const broken: DirectionVector = {
      digest: "broken",
      // biome-ignore lint/correctness/useYield: it fails before it yields
      async *read() {
        throw new Error("the disk is gone");
      },
    };
    await expect(along(ranker, broken)).rejects.toMatchObject({
      cause: expect.objectContaining({ message: "the disk is gone" }),
    });
  });

  it("keep a bounded number of sums open, and take more when one is let go", async () => {
    const open = await Promise.all([ranker.accumulate(), ranker.accumulate()]);
    await expect(ranker.accumulate()).rejects.toMatchObject({ code: "overloaded" });
    await open[0].release();
    const third = await ranker.accumulate();
    await Promise.all([open[1], third].map((accumulation) => accumulation.release()));
    await expect(open[0].add(texts, new Float32Array(4), caller)).rejects.toMatchObject({
      code: "accumulation_lost",
    });
  });
});

describe("an engine process that dies", () => {
  it("loses its sums, and reads a direction again", async () => {
    const states: string[] = [];
    const options = rankerOptions();
    const others = childPids();
    const ranker = openRanker(await readModelFolder(SHIPPED), {
      ...options,
      observer: { ...options.observer, state: (_model, { status }) => states.push(status) },
    });
    onTestFinished(() => ranker.close());
    await ranker.settled();
    const own = await gradientOf(ranker, texts, [1, 0, 0, 0]);
    await along(ranker, own);
    const lost = await ranker.accumulate();
    await lost.add(texts, Float32Array.of(1, 1, 1, 1), caller);
    const untouched = await ranker.accumulate();
    const pending = [
      lost.add(Array(20).fill(texts[3]), new Float32Array(20), caller),
      along(ranker, own, Array(20).fill(texts[0])),
    ] as const;
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (const pid of childPids()) if (!others.includes(pid)) process.kill(pid, "SIGKILL");
    await expect(pending[0]).rejects.toMatchObject({ code: "accumulation_lost" });
    const { tangent, gram } = await pending[1];
    expect((tangent?.[19] as number) / (gram?.[19] as number)).toBeCloseTo(1, 4);
    expect(own.reads).toBe(2);
    await expect(lost.finish(1)).rejects.toMatchObject({ code: "accumulation_lost" });
    await untouched.add(texts, Float32Array.of(1, 0, 0, 0), caller);
    expect((await vectorOf(untouched)).norm / own.norm).toBeCloseTo(1, 5);
    expect(states.filter((state) => state === "ready")).toHaveLength(2);
  });
});

describe("a gradient graph that answers other logits than the manifest's", () => {
  it("is refused with the reason, and the forward graph serves on", async () => {
    const models = copiesOfShipped("default");
    editManifest(join(models, "default"), (manifest) => ({
      ...manifest,
      graphs: { ...manifest.graphs, norms: "forward.int8.onnx" },
    }));
    const ranker = openRanker(await readModelFolder(join(models, "default")), rankerOptions());
    onTestFinished(() => ranker.close());
    for (let time = 0; time < 2; time++) {
      await expect(ranker.run(texts, { graph: "norms" }, caller)).rejects.toMatchObject({
        code: "model_invalid",
        message: expect.stringMatching(/norms.onnx cannot run: Self-test/),
      });
    }
    expect((await ranker.run(texts, FP32, caller)).logits).toHaveLength(4);
  });
});

describe("a folder without gradient graphs", () => {
  it("says so, with the exporter's reason", async () => {
    const models = copiesOfShipped("default");
    editManifest(join(models, "default"), ({ graphs: { forward }, ...manifest }) => ({
      ...manifest,
      graphs: { forward },
      precision: { ...manifest.precision, gradients: { unsupported: "9 logits, at most 8" } },
    }));
    const ranker = openRanker(await readModelFolder(join(models, "default")), rankerOptions());
    onTestFinished(() => ranker.close());
    expect(ranker.model).toMatchObject({
      gradientGraphs: [],
      gradientGraphsUnsupported: "9 logits, at most 8",
    });
    for (const asked of [
      () => ranker.run(texts, { graph: "norms" }, caller),
      () => along(ranker, vector(Buffer.alloc(4))),
      () => ranker.accumulate(),
    ]) {
      await expect(asked()).rejects.toMatchObject({
        code: "unsuitable_graph",
        message: expect.stringContaining("9 logits"),
      });
    }
  });
});
