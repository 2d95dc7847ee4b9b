import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createAccumulation } from "../../src/ranker/accumulation.js";
import type { HostSums } from "../../src/ranker/engine/host/host.js";
import type { Caller } from "../../src/ranker/port.js";

const caller: Caller = { signal: new AbortController().signal, deadlineAtMs: null };

/** Sums of three entries that remember why they were closed. */
function fakeSums(): HostSums & { closed: string | null } {
  return {
    name: "1",
    closed: null,
    check() {
      if (this.closed !== null) throw new Error(this.closed);
    },
    norm: async () => 5,
    read: async (at, length, scale) =>
      Float32Array.of(3, 0, 4)
        .map((v) => v * scale)
        .subarray(at, at + length),
    close(why) {
      this.closed ??= why;
    },
  };
}

describe("an accumulation", () => {
  it("is given up when nobody used it for a while, and not while somebody does", async () => {
    const sums = fakeSums();
    const accumulation = createAccumulation({ sums, count: 3, run: () => delay(80), idleMsMax: 40 });
    await accumulation.add([], new Float32Array(0), caller);
    expect(sums.closed).toBeNull();
    await delay(20);
    const { read } = await accumulation.finish(1);
    await delay(20);
    for await (const _ of read());
    expect(sums.closed).toBeNull();
    await delay(60);
    expect(sums.closed).toContain("no request used them");
    await expect(accumulation.add([], new Float32Array(0), caller)).rejects.toThrow("no request used them");
  });

  it("answers the scaled vector and its norm, as often as it is read", async () => {
    const accumulation = createAccumulation({ sums: fakeSums(), count: 3, run: async () => undefined });
    const { norm, bytes, read } = await accumulation.finish(-2);
    expect({ norm, bytes }).toEqual({ norm: 10, bytes: 12 });
    for (let time = 0; time < 2; time++) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of read()) chunks.push(chunk);
      expect([...new Float32Array(Uint8Array.from(Buffer.concat(chunks)).buffer)]).toEqual([-6, -0, -8]);
    }
    await accumulation.release();
  });

  it("has the next chunk made while one is taken care of, and drops it where the reader goes", async () => {
    const asked: number[] = [];
    const gone = new Error("they were released");
    const sums: HostSums = {
      ...fakeSums(),
      async read(at, length) {
        asked.push(at);
        if (at > 0) throw gone; // as it ends that waits for an answer when the sums are released
        return new Float32Array(length);
      },
    };
    const count = 2 ** 18 + 1;
    const accumulation = createAccumulation({ sums, count, run: async () => undefined });
    const { read } = await accumulation.finish(1);
    for await (const chunk of read()) {
      expect(chunk.length).toBe(2 ** 20);
      expect(asked).toEqual([0, 2 ** 18]);
      break;
    }
    await delay(0); // a rejection that nobody handles would fail the run
    const whole = (async () => {
      for await (const _ of read());
    })();
    await expect(whole).rejects.toBe(gone);
  });
});
