import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { EngineHost, EngineHostOptions } from "../../../src/ranker/engine/host/host.js";
import { startEngine } from "../../support/engine.js";
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

async function start(observers: Partial<EngineHostOptions> = {}): Promise<EngineHost> {
  const engine = startEngine({ sessions: 2, threads: 1 }, observers);
  onTestFinished(() => engine.close());
  expect(await engine.settled()).toEqual({ status: "ready" });
  return engine;
}

/** Path of the weights that are multiplied out; undefined if there are none. */
function weightsFile(): string | undefined {
  const [directory] = readdirSync(temporary);
  return directory === undefined ? undefined : join(temporary, directory, "weights.bin");
}

/** How often a process maps a file. */
function mappingsOf(pid: number, path: string): number {
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  return maps.filter((line) => line.endsWith(` ${path}`)).length;
}

describe("weights with scales", () => {
  it("are multiplied out in one file that all sessions of a process map, and that goes with it", async () => {
    const before = new Set(childPids());
    const engine = await start();
    const pid = childPids().find((child) => !before.has(child)) as number;
    const path = weightsFile() as string;
    expect(mappingsOf(pid, path)).toBeGreaterThan(0);
    await engine.close();
    expect(readdirSync(temporary)).toEqual([]);
  });

  it("go with a process that is killed, and the next has its own", async () => {
    const before = new Set(childPids());
    const engine = await start();
    const first = weightsFile();
    const pid = childPids().find((child) => !before.has(child)) as number;
    process.kill(pid, "SIGKILL");
    await vi.waitFor(() => expect(engine.state().status).not.toBe("ready"), 10_000);
    await vi.waitFor(() => expect(engine.state().status).toBe("ready"), 60_000);
    expect(readdirSync(temporary)).toHaveLength(1);
    expect(weightsFile()).not.toBe(first);
  }, 90_000);

  it("of killed processes are removed by the next, but not those of a running one", async () => {
    const [abandoned, used] = ["assay-engine-1", "assay-engine-2"].map((name) => join(temporary, name));
    for (const directory of [abandoned, used]) mkdirSync(directory as string);
    writeFileSync(join(abandoned as string, "weights.bin"), "");
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(abandoned as string, longAgo, longAgo);
    await start();
    expect(readdirSync(temporary)).toHaveLength(2);
    expect(existsSync(used as string)).toBe(true);
    expect(existsSync(abandoned as string)).toBe(false);
  });

  it("are multiplied out by each session where there is no temporary directory, and this is said", async () => {
    vi.stubEnv("TMPDIR", join(temporary, "absent"));
    const onUnshared = vi.fn();
    await start({ onUnshared });
    expect(onUnshared.mock.calls).toEqual([["scandir fails with ENOENT"]]);
  });
});
