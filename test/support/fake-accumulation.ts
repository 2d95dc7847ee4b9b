import type { Accumulation, Caller, Text } from "../../src/ranker/port.js";
import { fakeGradients, PARAMETERS } from "./fake-gradients.js";

/** Sums over the fake's parameters; `work` is called before each addition. */
export function fakeAccumulation(
  classes: number,
  work: (texts: readonly Text[], caller: Caller) => Promise<void>,
): Accumulation {
  const sums = new Float64Array(PARAMETERS);
  return {
    async add(texts, coefficients, caller) {
      await work(texts, caller);
      texts.forEach((text, i) => {
        fakeGradients(text, classes).forEach((gradient, k) => {
          const coefficient = coefficients[i * classes + k] as number;
          for (let p = 0; p < PARAMETERS; p++)
            sums[p] = (sums[p] as number) + coefficient * (gradient[p] as number);
        });
      });
    },
    async finish(scale) {
      const vector = Float32Array.from(sums, (sum) => sum * scale);
      return {
        norm: Math.hypot(...sums) * Math.abs(scale),
        bytes: vector.byteLength,
        async *read() {
          yield new Uint8Array(vector.buffer);
        },
      };
    },
    release: async () => undefined,
  };
}
