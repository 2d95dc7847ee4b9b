import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Death } from "../../../src/ranker/engine/host/child.js";
import { type RestartedProcess, startWithRestarts } from "../../../src/ranker/engine/host/restarts.js";

const SEGFAULT: Death = { reason: "the engine process ended (SIGSEGV)", killed: false };

interface Setup {
  readonly process: RestartedProcess;
  /** Milliseconds at which a process was started. */
  readonly startedAtMs: number[];
  readonly givenUp: string[];
  /** Whether the process answered by then, of each death that was told. */
  readonly deaths: boolean[];
  /** Ends the present process. */
  die(): void;
}

function setUp(isNeeded: () => boolean = () => true): Setup {
  const startedAtMs: number[] = [];
  const givenUp: string[] = [];
  const deaths: boolean[] = [];
  let die: (death: Death) => void = () => undefined;
  const process = startWithRestarts({
    start(onDeath) {
      startedAtMs.push(Date.now());
      die = onDeath;
      return { pid: 1, tell: () => undefined, push: async () => undefined, end: async () => undefined };
    },
    onState: () => undefined,
    onDeath: (_death, wasReady) => deaths.push(wasReady),
    onGivenUp: (reason) => givenUp.push(reason),
    isNeeded,
  });
  return { process, startedAtMs, givenUp, deaths, die: () => die(SEGFAULT) };
}

describe("an engine process that is started again", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 0 }));
  afterEach(() => void vi.useRealTimers());

  it("starts at once after the first death in a row, then each time later, up to a minute", () => {
    const { startedAtMs, die } = setUp();
    for (let deaths = 0; deaths < 11; deaths++) {
      die();
      vi.advanceTimersByTime(60_000);
    }
    const delaysMs = startedAtMs.slice(1).map((atMs, index) => atMs - 60_000 * index);
    expect(delaysMs).toEqual([0, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it("gives up who waits at the fourth death in a row, and serves again once a start succeeds", async () => {
    const { process, givenUp, die } = setUp();
    for (let deaths = 0; deaths < 3; deaths++) {
      die();
      expect(process.state().status).toBe("loading");
      vi.advanceTimersByTime(1000);
    }
    expect(givenUp).toEqual([]);
    die();
    expect(givenUp).toEqual([SEGFAULT.reason]);
    expect(process.state()).toEqual({
      status: "failed",
      reason: "the engine process ended (SIGSEGV); a new one starts in 2 s",
    });
    expect((await process.settled()).status).toBe("failed");
    vi.advanceTimersByTime(2000);
    expect(process.state().status).toBe("loading");
    process.ready();
    expect(process.state()).toEqual({ status: "ready" });
  });

  it("counts from the start again once a batch has finished", () => {
    const { process, startedAtMs, deaths, die } = setUp();
    for (let times = 0; times < 5; times++) {
      process.ready();
      process.worked();
      die();
      vi.advanceTimersByTime(0);
    }
    expect(startedAtMs).toEqual([0, 0, 0, 0, 0, 0]);
    expect(deaths).toEqual([true, true, true, true, true]);
    expect(process.state().status).toBe("loading");
  });

  it("starts no other where the model is invalid", () => {
    const { process, startedAtMs, givenUp, deaths, die } = setUp();
    process.invalid("weights.bin cannot be read");
    die();
    vi.advanceTimersByTime(60_000);
    expect(startedAtMs).toEqual([0]);
    expect(process.state()).toEqual({ status: "failed", reason: "weights.bin cannot be read" });
    expect(process.isInvalid()).toBe(true);
    expect(givenUp).toEqual(["weights.bin cannot be read"]);
    expect(deaths).toEqual([]);
  });

  it("starts no other where nobody needs it, or it was ended while it waited", async () => {
    const unneeded = setUp(() => false);
    unneeded.die();
    const ended = setUp();
    ended.die();
    vi.advanceTimersByTime(0);
    ended.die();
    await ended.process.end();
    vi.advanceTimersByTime(60_000);
    expect(unneeded.startedAtMs).toEqual([0]);
    expect(ended.startedAtMs).toEqual([0, 0]);
  });
});
