import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { packedIdAt } from "../../../src/scoring/datasets/packed-ids.js";
import { type SelectInput, selectFromDataset } from "../../../src/scoring/datasets/select-dataset.js";
import type { DatasetSummary } from "../../../src/store/dataset-records.js";
import type { Store } from "../../../src/store/port.js";
import { sample } from "../../store/conformance/records.js";
import { temporaryStore } from "../../support/app.js";

const SAMPLES = 400;

/** Dataset `d`: each sample comes from a source of its own, so that a selection by source has many steps. */
async function filled(): Promise<Store> {
  const store = await temporaryStore();
  const entries = Array.from({ length: SAMPLES }, (_, index) => ({
    id: `s${index}`,
    record: sample({ signals: new Map([["loss", index]]), source: `source ${index}` }),
  }));
  await store.writeSamples("d", entries);
  return store;
}

const input: SelectInput = {
  dataset: "d",
  selection: { method: "top", share: 1, signal: "loss", stratify_by: "source", seed: 0 },
  served: ["default@0123456789ab"],
};

/** The same with an embedding of each sample. */
async function embedded(): Promise<Store> {
  const store = await filled();
  const ids = Array.from({ length: SAMPLES }, (_, index) => `s${index}`);
  await store.writeSettings("d", { embedding: { type: "float16", bytesMax: 100_000 } });
  await store.writeEmbeddings("d", {
    origin: { model: "default@0123456789ab", after: "embeddings", size: 3 },
    ids,
    textDigests: ids.map(() => sample().textDigest as Buffer),
    values: Float32Array.from({ length: 3 * SAMPLES }, (_, at) => (at * at) % 97),
  });
  return store;
}

const diverse: SelectInput = {
  ...input,
  selection: { method: "facility_location", size: 300, stratify_by: "source", seed: 0 },
};

describe("a selection by embeddings in steps", () => {
  it("tells its progress, which never falls, and names what made the embeddings", async () => {
    const said: number[] = [];
    const { signal } = new AbortController();
    const { facts } = await selectFromDataset({ store: await embedded() }, diverse, {
      signal,
      onProgress: (share) => said.push(share),
    });
    expect(said).toEqual([...said].sort((a, b) => a - b));
    expect(said).toContain(0.75);
    expect(facts).toMatchObject({
      selected: 300,
      withoutEmbedding: 0,
      embedding: { model: "default@0123456789ab", after: "embeddings", size: 3 },
    });
  });

  it("ends if its signal aborts while it reads the embeddings", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const said: number[] = [];
    const work = selectFromDataset({ store: await embedded() }, diverse, {
      signal: controller.signal,
      onProgress(share) {
        said.push(share);
        if (share === 0.7) controller.abort(reason);
      },
    });
    await expect(work).rejects.toBe(reason);
    expect(said.at(-1)).toBe(0.7);
  });
});

it("names strata of labels by the shortest decimal of the label, in float64", async () => {
  const store = await temporaryStore();
  const labels = [2 ** 24, 2 ** 24 + 1, 0.1 + 0.2, 0.3];
  const entries = labels.map((label, index) => ({
    id: `s${index}`,
    record: sample({ label, signals: new Map([["loss", index]]) }),
  }));
  await store.writeSamples("d", entries);
  const names = ["0.3", "0.30000000000000004", "16777216", "16777217"];
  const quotas = Object.fromEntries(names.map((name) => [name, 1]));
  const { facts } = await selectFromDataset(
    { store },
    { ...input, selection: { method: "top", signal: "loss", stratify_by: "label", quotas, seed: 0 } },
    { signal: new AbortController().signal, onProgress: () => undefined },
  );
  expect(facts.strata).toEqual(names.map((stratum) => ({ stratum, candidates: 1, size: 1, selected: 1 })));
});

it.each([false, true])(
  "ends if the dataset is deleted while it is read, begun anew: %s",
  async (comesBack) => {
    const store = await filled();
    const deleting: Store = {
      ...store,
      async *scanSamples(dataset, snapshot) {
        yield* store.scanSamples(dataset, snapshot);
        const { createdAtMs } = (await store.readDataset("d")) as DatasetSummary;
        await store.deleteDataset("d");
        while (Date.now() <= createdAtMs) await turn();
        if (comesBack) await store.writeSamples("d", [{ id: "new", record: sample() }]);
      },
    };
    const { signal } = new AbortController();
    await expect(
      selectFromDataset({ store: deleting }, input, { signal, onProgress: () => undefined }),
    ).rejects.toMatchObject({ code: "dataset_not_found" });
  },
);

describe("a selection in steps", () => {
  it("tells its progress, which never falls, and passes between threads with its ids", async () => {
    const said: number[] = [];
    const { signal } = new AbortController();
    const selection = await selectFromDataset({ store: await filled() }, input, {
      signal,
      onProgress: (share) => said.push(share),
    });
    expect(said.length).toBeGreaterThan(SAMPLES);
    expect(said).toEqual([...said].sort((a, b) => a - b));
    expect(said.at(-1)).toBeLessThanOrEqual(1);
    const { facts, ids } = structuredClone(selection);
    const idAt = packedIdAt(ids);
    expect(new Set(Array.from({ length: facts.selected }, (_, index) => idAt(index))).size).toBe(SAMPLES);
  });

  it.each([
    ["once it has read", 0.6],
    ["between two of its steps", 0.8],
  ])("ends %s if its signal aborts, and lets other work have its turn before", async (_, from) => {
    const store = await filled();
    const controller = new AbortController();
    const reason = new Error("enough");
    const said: number[] = [];
    const work = selectFromDataset({ store }, input, {
      signal: controller.signal,
      onProgress(share) {
        said.push(share);
        // As a message to the thread would: in a turn of its own.
        if (share >= from) setImmediate(() => controller.abort(reason));
      },
    });
    await expect(work).rejects.toBe(reason);
    expect(said.at(-1)).toBeLessThan(0.95);
  });
});
