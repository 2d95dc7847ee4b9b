import type { RankerOptions } from "../../src/ranker/ranker.js";

/** Options of a ranker on the CPU whose events nobody hears. */
export function rankerOptions(): RankerOptions {
  return {
    precision: "fp32",
    devices: [{ device: { kind: "cpu" }, fallback: false }],
    sessions: 1,
    threads: 2,
    queueTokensMax: 1_000_000,
    availableMemory: () => null,
    observer: {
      batch: () => undefined,
      state: () => undefined,
      queued: () => undefined,
      fault: () => undefined,
      death: () => undefined,
      device: () => undefined,
      unshared: () => undefined,
    },
  };
}
