import type { RankerOptions } from "../../src/ranker/ranker.js";

/** Options of a ranker whose events nobody hears. */
export function rankerOptions(): RankerOptions {
  return {
    precision: "fp32",
    threads: 2,
    queueSamplesMax: 20_000,
    observer: { batch: () => undefined, state: () => undefined, queued: () => undefined },
  };
}
