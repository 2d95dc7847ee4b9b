import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { EngineHost } from "../../../src/ranker/engine/host/host.js";
import type { BatchFacts } from "../../../src/ranker/engine/protocol.js";
import type { Graph } from "../../../src/ranker/graphs.js";
import type { AskedMatrix, Outputs, RankerState, Text } from "../../../src/ranker/port.js";
import { startEngine } from "../../support/engine.js";
import { SHIPPED } from "../../support/model.js";
import { expand, type OracleText, readOracle } from "../../support/oracle.js";
import { childPids } from "../../support/processes.js";

const never = new AbortController().signal;

interface LogitCase {
  readonly text?: OracleText;
  readonly query?: OracleText;
  readonly document?: OracleText;
  readonly logits: readonly number[];
  readonly features_squared: number;
}

function textOf({ text, query, document }: LogitCase): Text {
  return text === undefined
    ? { first: expand(query as OracleText), second: expand(document as OracleText) }
    : { first: expand(text), second: null };
}

function run(
  engine: EngineHost,
  texts: readonly Text[],
  { graph = "forward" as Graph, asked = [] as readonly AskedMatrix[], signal = never } = {},
): Promise<Outputs> {
  const work = { graph, asked, operand: null };
  return engine.run(
    {
      texts,
      work,
      coefficients: null,
      direction: null,
      priority: "bulk",
      tokens: new Float64Array(texts.length).fill(10),
    },
    signal,
  );
}

describe("the engine process on the shipped model", () => {
  const batches: BatchFacts[] = [];
  let engine: EngineHost;
  beforeAll(async () => {
    engine = startEngine({}, { onBatch: (facts) => batches.push(facts) });
    expect(await engine.settled()).toEqual({ status: "ready" });
  });
  afterAll(() => engine.close());

  it("gives PyTorch's logits and feature norms on the stored weights", async () => {
    const { cases } = readOracle<{ cases: readonly LogitCase[] }>("logits");
    const { logits, featureNormsSquared } = await run(engine, cases.map(textOf));
    cases.forEach((expected, index) => {
      expect(Math.abs((logits[index] as number) - (expected.logits[0] as number))).toBeLessThan(1e-4);
      expect(featureNormsSquared[index]).toBeCloseTo(expected.features_squared, 3);
    });
  });

  it("answers the same whatever shares the batch, to rounding", async () => {
    const short = { first: "usb c cable", second: "USB-C charging cable, 2 m" };
    const long = {
      first: "vacuum bottle",
      second: "stainless steel bottle that keeps drinks cold ".repeat(20),
    };
    const alone = await run(engine, [short]);
    const together = await Promise.all([run(engine, [long, short]), run(engine, [short])]);
    expect(together[0].logits[1]).toBeCloseTo(alone.logits[0] as number, 4);
    expect(together[1].logits[0]).toBeCloseTo(alone.logits[0] as number, 4);
  });

  it("says which texts were cut", async () => {
    const texts = [
      { first: "usb c cable", second: "word ".repeat(1000) },
      { first: "usb c cable", second: "USB-C cable" },
    ];
    expect([...(await run(engine, texts)).truncated]).toEqual([1, 0]);
  });

  it("answers finite logits for an empty text, another language and bare marks", async () => {
    const texts = ["", "真无线蓝牙耳机", "\u0301\u0301\u0301", "🎮".repeat(400)].map((first) => ({
      first,
      second: "",
    }));
    const { logits } = await run(engine, texts);
    expect([...logits].every(Number.isFinite)).toBe(true);
  });

  it("runs int8 beside fp32, near to it and not equal", async () => {
    const texts = [{ first: "usb c cable", second: "USB-C charging cable, 2 m" }];
    const fp32 = (await run(engine, texts)).logits[0] as number;
    const int8 = (await run(engine, texts, { graph: "forward.int8" })).logits[0] as number;
    expect(int8).not.toBe(fp32);
    expect(Math.abs(int8 - fp32)).toBeLessThan(0.5);
  });

  it("gives gradient norms and features with the forward graph's logits", async () => {
    const texts = [
      { first: "usb c cable", second: "USB-C charging cable, 2 m" },
      { first: "water bottle", second: "" },
    ];
    const forward = await run(engine, texts);
    expect([forward.gram, forward.tangent, forward.features]).toEqual([undefined, undefined, undefined]);
    const { logits, gram, features, featureNormsSquared } = await run(engine, texts, {
      graph: "norms",
      asked: ["features"],
    });
    expect(features).toHaveLength(2 * 384);
    texts.forEach((_, row) => {
      expect(logits[row]).toBeCloseTo(forward.logits[row] as number, 4);
      const squares = (features as Float32Array)
        .subarray(row * 384, (row + 1) * 384)
        .reduce((sum, h) => sum + h * h, 0);
      expect(squares).toBeCloseTo(featureNormsSquared[row] as number, 3);
      // The head's own part of the gradient is (h, 1).
      expect(gram?.[row]).toBeGreaterThan(squares + 1);
    });
  });

  it("counts rows, tokens and padding of each batch", async () => {
    batches.length = 0;
    await run(engine, [
      { first: "usb", second: null },
      { first: "usb c cable", second: null },
    ]);
    expect(batches).toMatchObject([{ rows: 2, tokens: 3 + 5, paddedTokens: 10 }]);
  });

  it("drops a run that is cancelled and goes on with the others", async () => {
    const texts = Array.from({ length: 400 }, (_, i) => ({
      first: `query ${i}`,
      second: "a product ".repeat(50),
    }));
    const controller = new AbortController();
    const dropped = run(engine, texts, { signal: controller.signal });
    const kept = run(engine, [{ first: "usb c cable", second: "cable" }]);
    controller.abort();
    await expect(dropped).rejects.toMatchObject({ code: "cancelled" });
    expect((await kept).logits).toHaveLength(1);
  });
});

describe("an engine process in trouble", () => {
  /** A copy of the shipped folder that a test may break. */
  function copyOfShipped(): string {
    const folder = mkdtempSync(join(tmpdir(), "assay-model-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    cpSync(SHIPPED, folder, { recursive: true });
    return folder;
  }

  function start(directory: string, onState: (state: RankerState) => void = () => undefined): EngineHost {
    const engine = startEngine({ directory, threads: 1 }, { onState });
    onTestFinished(() => engine.close());
    return engine;
  }

  it("refuses a folder whose weights do not match their digest, naming the file", async () => {
    const folder = copyOfShipped();
    const weights = readFileSync(join(folder, "weights.bin"));
    weights[1000] = (weights[1000] as number) ^ 1;
    writeFileSync(join(folder, "weights.bin"), weights);
    const state = await start(folder).settled();
    expect(state.status).toBe("failed");
    const { reason } = state as { reason: string };
    expect(reason).toMatch(/weights\.bin does not match its digest/);
    expect(reason).not.toContain(folder); // clients read it
  });

  it("refuses a folder whose self-test expects another logit", async () => {
    const folder = copyOfShipped();
    const manifest = JSON.parse(readFileSync(join(folder, "model.json"), "utf8"));
    manifest.self_test.samples[0].logits[0] += 0.1;
    writeFileSync(join(folder, "model.json"), JSON.stringify(manifest));
    const state = await start(folder).settled();
    expect((state as { reason: string }).reason).toMatch(/Self-test .* sample 0/);
  });

  it("refuses int8 where it shifts a probability more than the export found, and serves fp32 on", async () => {
    const folder = copyOfShipped();
    const manifest = JSON.parse(readFileSync(join(folder, "model.json"), "utf8"));
    manifest.precision.int8.probability_shift_max = 0.01;
    manifest.self_test.tolerance = 10;
    manifest.self_test.samples[0].logits[0] -= 4;
    writeFileSync(join(folder, "model.json"), JSON.stringify(manifest));
    const wrong =
      /Self-test .* sample 0 shifts a probability by 0\.\d+ in int8, and at most 0\.100 .*precision fp32/;

    const first = startEngine({ directory: folder, precision: "int8", threads: 1 });
    onTestFinished(() => first.close());
    expect(await first.settled()).toMatchObject({ status: "failed", reason: expect.stringMatching(wrong) });

    const beside = start(folder);
    const text = { first: "usb c cable", second: null };
    await expect(run(beside, [text], { graph: "forward.int8" })).rejects.toThrow(wrong);
    expect((await run(beside, [text])).logits).toHaveLength(1);
  });

  it("does not take up a folder that has changed since it was read", async () => {
    const folder = copyOfShipped();
    const deaths: string[] = [];
    const engine = startEngine({ directory: folder }, { onDeath: (reason) => deaths.push(reason) });
    onTestFinished(() => engine.close());
    await engine.settled();
    const weights = readFileSync(join(folder, "weights.bin"));
    weights[1000] = (weights[1000] as number) ^ 1;
    rmSync(join(folder, "weights.bin"));
    writeFileSync(join(folder, "weights.bin"), weights);

    const text = { first: "usb c cable", second: null };
    const refused: Error = await run(engine, [text], { graph: "forward.int8" }).then(
      () => expect.fail("ran"),
      (error) => error,
    );
    expect(refused.message).toMatch(/does not match its digest/);
    expect(refused.message).not.toContain(folder);
    expect((await run(engine, [text])).logits).toHaveLength(1);
    for (const pid of childPids()) process.kill(pid, "SIGKILL");
    while (engine.state().status !== "failed") await delay(10);
    expect(deaths).toHaveLength(1);
    expect(engine.state()).toMatchObject({ reason: expect.stringMatching(/does not match its digest/) });
  });

  const texts = Array.from({ length: 60 }, (_, i) => ({
    first: `query ${i}`,
    second: "a product ".repeat(20),
  }));

  it("does what a killed process was doing in the next one, and no more", async () => {
    const states: string[] = [];
    const deaths: string[] = [];
    let rows = 0;
    const engine = startEngine(
      {},
      {
        onState: ({ status }) => states.push(status),
        onDeath: (reason) => deaths.push(reason),
        onBatch: (facts) => {
          rows += facts.rows;
        },
      },
    );
    onTestFinished(() => engine.close());
    await engine.settled();
    const expected = await run(engine, texts);
    rows = 0;
    const outputs = run(engine, texts);
    while (rows < 20) await delay(1);
    for (const pid of childPids()) process.kill(pid, "SIGKILL");
    // The engine is away; what comes now waits for the next one.
    while (states.at(-1) === "ready") await delay(1);
    const meanwhile = run(engine, texts.slice(0, 1));
    expect((await outputs).logits).toHaveLength(60);
    (await outputs).logits.forEach((logit, row) => {
      expect(logit).toBeCloseTo(expected.logits[row] as number, 4);
    });
    expect((await meanwhile).logits[0]).toBeCloseTo(expected.logits[0] as number, 4);
    expect(states).toEqual(["ready", "loading", "loading", "ready"]);
    expect(deaths).toEqual([expect.stringContaining("SIGKILL")]);
    expect(rows).toBe(60 + 1);
    expect(engine.tokens()).toBe(0);
  });

  it("names the one text that the model fails on, and answers the runs that shared its batch", async () => {
    const folder = copyOfShipped();
    // A word whose id is past the embedding table: the session throws.
    const tokenizer = JSON.parse(readFileSync(join(folder, "tokenizer.json"), "utf8"));
    tokenizer.model.vocab.zebra = 999_999;
    writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
    const manifest = JSON.parse(readFileSync(join(folder, "model.json"), "utf8"));
    manifest.files["tokenizer.json"].sha256 = createHash("sha256")
      .update(readFileSync(join(folder, "tokenizer.json")))
      .digest("hex");
    writeFileSync(join(folder, "model.json"), JSON.stringify(manifest));
    const engine = start(folder);
    await engine.settled();
    const faulty = run(engine, [...texts.slice(0, 5), { first: "a zebra", second: null }]);
    const sound = run(engine, texts.slice(0, 5));
    await expect(faulty).rejects.toMatchObject({ code: "engine_failed", faults: [{ sample: 5, path: "" }] });
    expect((await sound).logits).toHaveLength(5);
    expect(engine.tokens()).toBe(0);
  });

  it("waits for the model while it loads", async () => {
    const engine = start(SHIPPED);
    expect((await run(engine, [{ first: "a", second: null }])).logits).toHaveLength(1);
  });

  it("says why a model that cannot be loaded does not run", async () => {
    const folder = copyOfShipped();
    rmSync(join(folder, "weights.bin"));
    const engine = start(folder);
    await expect(run(engine, texts)).rejects.toMatchObject({
      code: "model_not_ready",
      message: expect.stringContaining("weights.bin cannot be read"),
    });
    expect(engine.tokens()).toBe(0);
  });

  it("stands in for a CUDA device that is not there with the CPU, and says why", async () => {
    const used: unknown[] = [];
    const engine = startEngine(
      { device: { kind: "cuda", index: 0 }, fallback: true },
      { onDevice: (device, missing) => used.push(device, missing) },
    );
    onTestFinished(() => engine.close());
    expect(await engine.settled()).toEqual({ status: "ready" });
    expect(used).toEqual([{ kind: "cpu" }, expect.stringMatching(/cuda/i)]);
  });

  it("fails where the device is asked for by name and not there", async () => {
    const engine = startEngine({ device: { kind: "cuda", index: 0 } });
    onTestFinished(() => engine.close());
    expect(await engine.settled()).toMatchObject({
      status: "failed",
      reason: expect.stringMatching(/cuda/i),
    });
  });
});
