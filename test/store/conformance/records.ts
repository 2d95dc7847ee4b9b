import { createHash, randomBytes } from "node:crypto";
import { expect } from "vitest";
import type { DatasetWeights } from "../../../src/store/dataset-port.js";
import type { SampleRecord, ScannedSamples, SnapshotInfo } from "../../../src/store/dataset-records.js";
import type { StoreOptions } from "../../../src/store/options.js";
import type { Store } from "../../../src/store/port.js";

/** Opens the place of a suite once more; what it opens is closed after the test. */
export type OpenStore = (options?: StoreOptions) => Promise<Store>;

/** A sample record whose numbers float32 holds. */
export function sample(fields: Partial<SampleRecord> = {}): SampleRecord {
  return {
    outputsKey: outputsKey(),
    textDigest: Buffer.from("a1b2c3d4e5f6", "hex"),
    precision: "fp32",
    source: null,
    observed: null,
    earlier: new Map(),
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
  for await (const chunk of store.scanSamples(dataset))
    for (let index = 0; index < chunk.count; index++) seen.push(rowOf(chunk, index));
  return seen;
}

function rowOf(chunk: ScannedSamples, index: number): { id: string; record: SampleRecord } {
  const record = chunk.record(index);
  expect(chunk.label(index)).toEqual(record.label);
  return { id: chunk.id(index), record };
}

/** A digest of a group as records have it. */
export function groupDigest(group: string): string {
  return createHash("sha256").update(group).digest("hex").slice(0, 16);
}

/** Keeps a snapshot of these weights by id. */
export async function weighIds(
  store: Store,
  dataset: string,
  { ids, weights }: { readonly ids: readonly string[]; readonly weights: Float64Array },
  provenance: SnapshotInfo["provenance"],
): Promise<SnapshotInfo> {
  const byId = Object.fromEntries(ids.map((id, index) => [id, weights[index] as number]));
  return store.writeSnapshot(dataset, await weightsOf(store, dataset, byId), provenance);
}

/** The weights of these ids by the numbers that the dataset gave them, for a snapshot. */
export async function weightsOf(
  store: Store,
  dataset: string,
  weights: Readonly<Record<string, number>>,
): Promise<DatasetWeights> {
  const byNumber = new Map<number, number>();
  let incarnation = "";
  for await (const chunk of store.scanSamples(dataset)) {
    incarnation = chunk.incarnation;
    for (let index = 0; index < chunk.count; index++) {
      const weight = weights[chunk.id(index)];
      if (weight !== undefined) byNumber.set(chunk.numbers[index] as number, weight);
    }
  }
  const column = new Float64Array(Math.max(-1, ...byNumber.keys()) + 1).fill(Number.NaN);
  for (const [number, weight] of byNumber) column[number] = weight;
  return { incarnation, weights: column, later: null };
}
