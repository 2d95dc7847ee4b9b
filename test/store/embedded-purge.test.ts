import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startPurge } from "../../src/store/embedded/purge.js";

describe("the purge of deleted datasets", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** A store with one deleted dataset, whose disk fails for the first `failures` writes. */
  function start(failures: number) {
    const left = new Set(["dataset"]);
    let writes = 0;
    const table = {
      getKeys: () => [...left].map((name) => Buffer.from(name)),
      remove: async (key: Buffer) => left.delete(key.toString()),
    };
    const none = { getKeys: () => [], remove: async () => true };
    const purge = startPurge(
      {
        samples: none,
        histories: none,
        embeddings: none,
        shapes: none,
        columns: none,
        answers: none,
        doomed: table,
        batch: async (_table: unknown, action: () => unknown) => {
          if (writes++ < failures) throw new Error("the disk is full");
          action();
        },
      } as unknown as Parameters<typeof startPurge>[0],
      async () => undefined,
    );
    return { purge, left };
  }

  it("is tried again after a failure, which is told only until then", async () => {
    const { purge, left } = start(2);
    await purge.idle();
    expect(purge.failure()).toMatchObject({ message: "the disk is full" });
    await vi.advanceTimersByTimeAsync(11_000);
    await purge.idle();
    expect(purge.failure()).toBeNull();
    expect(left.size).toBe(0);
  });

  it("is not tried again once it is interrupted", async () => {
    const { purge, left } = start(1);
    await purge.idle();
    purge.interrupt();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(left.size).toBe(1);
  });
});
