import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { EngineHost, EngineHostOptions } from "../../../src/ranker/engine/host/host.js";
import type { Outputs } from "../../../src/ranker/port.js";
import { startEngine } from "../../support/engine.js";
import { SHIPPED } from "../../support/model.js";
import { childPids } from "../../support/processes.js";

/** The temporary directory that engine processes of a test see. */
let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), "assay-test-"));
  vi.stubEnv("TMPDIR", temporary);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(temporary, { recursive: true });
  });
});

async function start(
  observers: Partial<EngineHostOptions> = {},
  directory: string = SHIPPED,
): Promise<EngineHost> {
  const engine = startEngine({ sessions: 2, threads: 1, directory }, observers);
  onTestFinished(() => engine.close());
  expect(await engine.settled()).toEqual({ status: "ready" });
  return engine;
}

/** Runs one text on a graph. */
function run(engine: EngineHost, graph: "forward" | "norms"): Promise<Outputs> {
  return engine.run(
    {
      texts: [{ first: "usb c cable", second: "USB-C charging cable, 2 m" }],
      work: { graph, asked: [], operand: null },
      coefficients: null,
      direction: null,
      priority: "interactive",
      tokens: Float64Array.of(10),
    },
    new AbortController().signal,
  );
}

/** Paths of the weights that are multiplied out. */
function weightsFiles(): string[] {
  return readdirSync(temporary).map((directory) => join(temporary, directory, "weights.bin"));
}

/** How often a process maps a file. */
function mappingsOf(pid: number, path: string): number {
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return maps.filter((line) => line.endsWith(` ${path}`)).length;
}

describe("weights with scales", () => {
  it("are not multiplied out in a process that runs no gradients", async () => {
    const engine = await start();
    await run(engine, "forward");
    expect(weightsFiles()).toEqual([]);
  });

  it("are multiplied out once, in one file that all sessions of gradients map, and that goes with the process", async () => {
    const before = new Set(childPids());
    const engine = await start();
    const pid = childPids().find((child) => !before.has(child)) as number;
    // Each is a batch in a session of its own.
    const [one, other] = await Promise.all([run(engine, "norms"), run(engine, "norms")]);
    expect(one.gram).toEqual(other.gram);
    const [path, ...others] = weightsFiles();
    expect(others).toEqual([]);
    expect(mappingsOf(pid, path as string)).toBeGreaterThan(0);
    await engine.close();
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("go with a process that is killed, and the next has its own", async () => {
    const before = new Set(childPids());
    const engine = await start();
    await run(engine, "norms");
    const first = weightsFiles();
    const pid = childPids().find((child) => !before.has(child)) as number;
    process.kill(pid, "SIGKILL");
    await vi.waitFor(() => expect(engine.state().status).not.toBe("ready"), 10_000);
    await run(engine, "norms");
    expect(weightsFiles()).toHaveLength(1);
    expect(weightsFiles()).not.toEqual(first);
  }, 90_000);

  it("of killed processes are removed by the next, but not those of a running one", async () => {
    const [abandoned, used] = ["assay-engine-1", "assay-engine-2"].map((name) => join(temporary, name));
    for (const directory of [abandoned, used]) mkdirSync(directory as string);
    writeFileSync(join(abandoned as string, "weights.bin"), "");
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(abandoned as string, longAgo, longAgo);
    await run(await start(), "norms");
    expect(readdirSync(temporary)).toHaveLength(2);
    expect(existsSync(used as string)).toBe(true);
    expect(existsSync(abandoned as string)).toBe(false);
  });

  it("are multiplied out by a session itself where there is no temporary directory; this is said, and the next session tries again", async () => {
    const late = join(temporary, "late");
    vi.stubEnv("TMPDIR", late);
    const onUnshared = vi.fn();
    const engine = await start({ onUnshared });
    const first = await run(engine, "norms");
    expect(onUnshared.mock.calls).toEqual([["scandir fails with ENOENT"]]);
    mkdirSync(late);
    // The second of two batches at once needs a second session.
    const [, second] = await Promise.all([run(engine, "norms"), run(engine, "norms")]);
    expect(onUnshared).toHaveBeenCalledTimes(1);
    expect(readdirSync(late)).toHaveLength(1);
    expect(second.gram?.[0]).toBeCloseTo(first.gram?.[0] as number, 4);
  });

  it("that cannot be read are a fault of the graph that needs them, and the others serve", async () => {
    const directory = join(temporary, "model");
    cpSync(SHIPPED, directory, { recursive: true });
    const onUnshared = vi.fn();
    const engine = await start({ onUnshared }, directory);
    // Not written over: sessions have mapped the file.
    writeFileSync(join(directory, "weights.new"), "");
    renameSync(join(directory, "weights.new"), join(directory, "weights.bin"));
    await expect(run(engine, "norms")).rejects.toMatchObject({ code: "model_invalid" });
    expect(onUnshared).not.toHaveBeenCalled();
    expect(readdirSync(temporary)).toEqual(["model"]);
    await run(engine, "forward");
  });
});
