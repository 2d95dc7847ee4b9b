import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readModelFolder } from "../../src/ranker/model-folder.js";
import type { Caller, Ranker, Text } from "../../src/ranker/port.js";
import { type DeviceChoice, openRanker } from "../../src/ranker/ranker.js";
import { FP32 } from "../support/outputs.js";
import { childPids } from "../support/processes.js";
import { rankerOptions } from "../support/ranker.js";

const patient: Caller = { signal: new AbortController().signal, deadlineAtMs: null };

function texts(count: number): Text[] {
  return Array.from({ length: count }, (_, i) => ({
    first: `query ${i}`,
    second: "a product with a name of some length, and what is said of it ".repeat(3),
  }));
}

describe("a ranker", () => {
  let ranker: Ranker;
  let queued = 0;
  beforeAll(async () => {
    const folder = await readModelFolder(fileURLToPath(new URL("../../models/default", import.meta.url)));
    const options = rankerOptions();
    ranker = openRanker(folder, {
      ...options,
      queueTokensMax: 4000,
      observer: {
        ...options.observer,
        queued: (_model, tokens) => {
          queued = tokens;
        },
      },
    });
    expect(await ranker.settled()).toEqual({ status: "ready" });
    await ranker.run(texts(10), FP32, patient);
  });
  afterAll(() => ranker.close());

  it("takes a run of any size while there is room, and none when there is not, saying when there is", async () => {
    const waiting = [ranker.run(texts(30), FP32, patient), ranker.run(texts(150), FP32, patient)];
    expect(queued).toBeGreaterThan(4000);
    await expect(ranker.run(texts(20), FP32, patient)).rejects.toMatchObject({
      code: "overloaded",
      message: expect.stringContaining("fewer than 4000"),
      retryAfterMs: expect.any(Number),
    });
    // Small runs go before bulk and have a queue of their own.
    expect((await ranker.run(texts(1), FP32, patient)).logits).toHaveLength(1);
    expect(queued).toBeGreaterThan(2000);
    await Promise.all(waiting);
    expect(queued).toBe(0);
    expect((await ranker.run(texts(20), FP32, patient)).logits).toHaveLength(20);
  });

  it("guesses the tokens of texts like those that it has counted", async () => {
    const counts: number[] = [];
    const run = ranker.run(texts(40), FP32, patient);
    counts.push(queued);
    while (queued === counts[0]) await new Promise((resolve) => setTimeout(resolve, 1));
    counts.push(queued);
    await run;
    const [guessed, counted] = counts as [number, number];
    expect(Math.abs(guessed - counted) / counted).toBeLessThan(0.1);
  });

  it("refuses at once what it could not finish before the deadline, and takes it where there is time", async () => {
    let done = false;
    const waiting = ranker.run(texts(45), FP32, patient).then(() => {
      done = true;
    });
    const run = (timeMs: number) =>
      ranker.run(texts(20), FP32, { ...patient, deadlineAtMs: performance.now() + timeMs });
    await expect(run(50)).rejects.toMatchObject({ code: "overloaded", retryAfterMs: expect.any(Number) });
    expect(done).toBe(false);
    expect((await run(60_000)).logits).toHaveLength(20);
    await waiting;
  });
});

describe("a ranker on two devices", () => {
  it("spreads runs over their engines, and serves on while one of them is away", async () => {
    const folder = await readModelFolder(fileURLToPath(new URL("../../models/default", import.meta.url)));
    const options = rankerOptions();
    const [device] = options.devices;
    const deaths: string[] = [];
    const others = childPids();
    const ranker = openRanker(folder, {
      ...options,
      devices: [device, device] as DeviceChoice[],
      threads: 1,
      observer: { ...options.observer, death: (_model, reason) => deaths.push(reason) },
    });
    onTestFinished(() => ranker.close());
    await ranker.settled();
    const engines = childPids().filter((pid) => !others.includes(pid));
    expect(engines).toHaveLength(2);
    const cpuBefore = engines.map(cpuTicks);
    const runs = [ranker.run(texts(40), FP32, patient), ranker.run(texts(40), FP32, patient)];
    for (const { logits } of await Promise.all(runs)) expect(logits).toHaveLength(40);
    engines.forEach((pid, index) => {
      expect(cpuTicks(pid)).toBeGreaterThan(cpuBefore[index] as number);
    });

    process.kill(engines[0] as number, "SIGKILL");
    while (deaths.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(ranker.state()).toEqual({ status: "ready" });
    expect((await ranker.run(texts(10), FP32, patient)).logits).toHaveLength(10);
  });
});

/** User time of a process so far. */
function cpuTicks(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[13]);
}
