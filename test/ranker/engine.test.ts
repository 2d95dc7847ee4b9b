import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type EngineHost, startEngineHost } from "../../src/ranker/engine/host.js";
import type { BatchFacts } from "../../src/ranker/engine/protocol.js";
import type { RankerState, Text } from "../../src/ranker/port.js";
import { expand, type OracleText, readOracle } from "../support/oracle.js";

const SHIPPED = fileURLToPath(new URL("../../models/default", import.meta.url));
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

async function settled(engine: EngineHost): Promise<RankerState> {
  while (engine.state().status === "loading") await delay(10);
  return engine.state();
}

describe("the engine process on the shipped model", () => {
  const batches: BatchFacts[] = [];
  let engine: EngineHost;
  beforeAll(async () => {
    engine = startEngineHost({
      directory: SHIPPED,
      precision: "fp32",
      threads: 2,
      onBatch: (facts) => batches.push(facts),
      onState: () => undefined,
    });
    expect(await settled(engine)).toEqual({ status: "ready" });
  });
  afterAll(() => engine.close());

  it("gives PyTorch's logits and feature norms on the stored weights", async () => {
    const { cases } = readOracle<{ cases: readonly LogitCase[] }>("logits");
    const { logits, featureNormsSquared } = await engine.run(cases.map(textOf), "fp32", never);
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
    const alone = await engine.run([short], "fp32", never);
    const together = await Promise.all([
      engine.run([long, short], "fp32", never),
      engine.run([short], "fp32", never),
    ]);
    expect(together[0].logits[1]).toBeCloseTo(alone.logits[0] as number, 4);
    expect(together[1].logits[0]).toBeCloseTo(alone.logits[0] as number, 4);
  });

  it("says which texts were cut", async () => {
    const texts = [
      { first: "usb c cable", second: "word ".repeat(1000) },
      { first: "usb c cable", second: "USB-C cable" },
    ];
    expect([...(await engine.run(texts, "fp32", never)).truncated]).toEqual([1, 0]);
  });

  it("answers finite logits for an empty text, another language and bare marks", async () => {
    const texts = ["", "真无线蓝牙耳机", "\u0301\u0301\u0301", "🎮".repeat(400)].map((first) => ({
      first,
      second: "",
    }));
    const { logits } = await engine.run(texts, "fp32", never);
    expect([...logits].every(Number.isFinite)).toBe(true);
  });

  it("runs int8 beside fp32, near to it and not equal", async () => {
    const texts = [{ first: "usb c cable", second: "USB-C charging cable, 2 m" }];
    const fp32 = (await engine.run(texts, "fp32", never)).logits[0] as number;
    const int8 = (await engine.run(texts, "int8", never)).logits[0] as number;
    expect(int8).not.toBe(fp32);
    expect(Math.abs(int8 - fp32)).toBeLessThan(0.5);
  });

  it("counts rows, tokens and padding of each batch", async () => {
    batches.length = 0;
    await engine.run(
      [
        { first: "usb", second: null },
        { first: "usb c cable", second: null },
      ],
      "fp32",
      never,
    );
    expect(batches).toMatchObject([{ rows: 2, tokens: 3 + 5, paddedTokens: 10 }]);
  });

  it("drops a run that is cancelled and goes on with the others", async () => {
    const texts = Array.from({ length: 400 }, (_, i) => ({
      first: `query ${i}`,
      second: "a product ".repeat(50),
    }));
    const controller = new AbortController();
    const dropped = engine.run(texts, "fp32", controller.signal);
    const kept = engine.run([{ first: "usb c cable", second: "cable" }], "fp32", never);
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
    const engine = startEngineHost({
      directory,
      precision: "fp32",
      threads: 1,
      onBatch: () => undefined,
      onState,
    });
    onTestFinished(() => engine.close());
    return engine;
  }

  it("refuses a folder whose weights do not match their digest, naming the file", async () => {
    const folder = copyOfShipped();
    const weights = readFileSync(join(folder, "weights.bin"));
    weights[1000] = (weights[1000] as number) ^ 1;
    writeFileSync(join(folder, "weights.bin"), weights);
    const state = await settled(start(folder));
    expect(state.status).toBe("failed");
    expect((state as { reason: string }).reason).toMatch(/weights\.bin does not match its digest/);
  });

  it("refuses a folder whose self-test expects another logit", async () => {
    const folder = copyOfShipped();
    const manifest = JSON.parse(readFileSync(join(folder, "model.json"), "utf8"));
    manifest.self_test.samples[0].logits[0] += 0.1;
    writeFileSync(join(folder, "model.json"), JSON.stringify(manifest));
    const state = await settled(start(folder));
    expect((state as { reason: string }).reason).toMatch(/Self-test .* sample 0/);
  });

  it("fails the runs of a process that is killed, and starts another", async () => {
    const states: string[] = [];
    const engine = start(SHIPPED, (state) => states.push(state.status));
    await settled(engine);
    const texts = Array.from({ length: 300 }, (_, i) => ({
      first: `query ${i}`,
      second: "a product ".repeat(50),
    }));
    const run = engine.run(texts, "fp32", never);
    process.kill(engine.pid() as number, "SIGKILL");
    await expect(run).rejects.toMatchObject({
      code: "engine_failed",
      message: expect.stringContaining("SIGKILL"),
    });
    while (engine.state().status !== "ready") await delay(20);
    expect(states).toEqual(["ready", "failed", "loading", "ready"]);
    expect((await engine.run(texts.slice(0, 1), "fp32", never)).logits).toHaveLength(1);
  });

  it("refuses to run while it loads", async () => {
    const engine = start(SHIPPED);
    await expect(engine.run([{ first: "a", second: null }], "fp32", never)).rejects.toMatchObject({
      code: "model_not_ready",
    });
  });
});
