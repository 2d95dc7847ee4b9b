import { randomBytes } from "node:crypto";
import type { StoreOptions } from "../../../src/store/options.js";
import type { SampleRecord, Store } from "../../../src/store/port.js";

/** Opens the place of a suite once more; what it opens is closed after the test. */
export type OpenStore = (options?: StoreOptions) => Promise<Store>;

/** A sample record whose numbers float32 holds. */
export function sample(fields: Partial<SampleRecord> = {}): SampleRecord {
  return {
    outputsKey: outputsKey(),
    model: "default@0123456789ab",
    loss: "bce",
    directions: [],
    label: 1,
    group: null,
    signals: new Map([
      ["loss", 0.125],
      ["grad_norm_last", 2.5],
    ]),
    scoredAtMs: 1_790_000_000_123,
    ...fields,
  };
}

/** An outputs record without optional parts. */
export function outputs(logit: number) {
  return { logits: Float32Array.of(logit), featureNormSquared: 4, truncated: false };
}

export function outputsKey(): Buffer {
  return randomBytes(16);
}

/** All samples of a dataset, in no promised order. */
export async function scanAll(
  store: Store,
  dataset: string,
): Promise<{ id: string; record: SampleRecord }[]> {
  const seen: { id: string; record: SampleRecord }[] = [];
  for await (const chunk of store.scanSamples(dataset)) seen.push(...chunk);
  return seen;
}
