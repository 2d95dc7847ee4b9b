import { EventEmitter, once } from "node:events";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openIndexes } from "../../../src/scoring/looks/indexes.js";
import { rankSamples } from "../../../src/scoring/looks/rank-samples.js";
import type { Store } from "../../../src/store/port.js";
import { sample, weighIds } from "../../store/conformance/records.js";
import { temporaryStore } from "../../support/app.js";

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"] }));
afterEach(() => void vi.useRealTimers());

async function write(store: Store, id: string): Promise<void> {
  await store.writeSamples("d", [{ id, record: sample({}) }]);
  vi.advanceTimersByTime(1);
}

/** The store, with scans that take so long. */
function scanning(store: Store, ms: number): Store {
  return {
    ...store,
    async *scanSamples(dataset, snapshot) {
      yield* store.scanSamples(dataset, snapshot);
      vi.advanceTimersByTime(ms);
    },
  };
}

it("has a quick index built again after every change, and keeps it otherwise", async () => {
  const store = await temporaryStore();
  const indexes = openIndexes(store);
  await write(store, "a");
  const first = await indexes.of("d");
  expect(await indexes.of("d")).toBe(first);
  await write(store, "b");
  expect((await indexes.of("d")).count).toBe(2);
});

it("misses no change in the millisecond in which the building began", async () => {
  const store = await temporaryStore();
  const indexes = openIndexes(store);
  await store.writeSamples("d", [{ id: "a", record: sample({}) }]);
  expect((await indexes.of("d")).count).toBe(1);
  await store.writeSamples("d", [{ id: "b", record: sample({}) }]);
  expect((await indexes.of("d")).count).toBe(2);
});

it("answers a slow index for ten seconds, then has it built in the background, and after a minute waits for it", async () => {
  const store = await temporaryStore();
  const indexes = openIndexes(scanning(store, 5000));
  await write(store, "a");
  const first = await indexes.of("d");
  await write(store, "b");
  expect(await indexes.of("d")).toBe(first);
  vi.advanceTimersByTime(10_000);
  expect(await indexes.of("d")).toBe(first);
  await vi.waitFor(async () => expect((await indexes.of("d")).count).toBe(2));
  await write(store, "c");
  vi.advanceTimersByTime(60_000);
  expect((await indexes.of("d")).count).toBe(3);
});

const look = { dataset: "d", descending: true, filter: { ranges: [] }, limit: 10, after: null };

it("waits for a fresh index if a slow one lacks the newest weights, a column or a source", async () => {
  const store = await temporaryStore();
  const slow = scanning(store, 5000);
  const ports = { store: slow, indexes: openIndexes(slow) };
  await write(store, "a");
  expect(await rankSamples(ports, { ...look, sort: "weight" })).toMatchObject({ ids: [] });
  await weighIds(store, "d", { ids: ["a"], weights: Float64Array.of(2) }, {});
  expect(await rankSamples(ports, { ...look, sort: "weight" })).toMatchObject({ ids: ["a"] });
  const record = sample({ signals: new Map([["extras.late", 1]]), source: "late" });
  await store.writeSamples("d", [{ id: "b", record }]);
  vi.advanceTimersByTime(1);
  expect(await rankSamples(ports, { ...look, sort: "extras.late" })).toMatchObject({ ids: ["b"] });
  await store.writeSamples("d", [{ id: "c", record: sample({ source: "later" }) }]);
  vi.advanceTimersByTime(1);
  const filter = { source: "later", ranges: [] };
  expect(await rankSamples(ports, { ...look, sort: "loss", filter })).toMatchObject({ ids: ["c"] });
});

it("does not answer a look at new weights with an index whose building began before them", async () => {
  const store = await temporaryStore();
  await write(store, "a");
  const gates = new EventEmitter();
  const [began, weighed] = [once(gates, "began"), once(gates, "weighed")];
  const indexes = openIndexes({
    ...store,
    async *scanSamples(dataset, snapshot) {
      yield* store.scanSamples(dataset, snapshot);
      gates.emit("began");
      await weighed;
    },
  });
  const first = indexes.of("d");
  await began;
  await weighIds(store, "d", { ids: ["a"], weights: Float64Array.of(2) }, {});
  const second = indexes.of("d", { columns: ["weight"] });
  // The second look has joined the building once it has read the summary.
  await store.readDataset("d");
  gates.emit("weighed");
  expect((await first).snapshot).toBeNull();
  expect((await second).snapshot).toBe(1);
});

it("does not answer with an index of a dataset that was deleted while it was read", async () => {
  for (const comesBack of [false, true]) {
    const store = await temporaryStore();
    await write(store, "a");
    const indexes = openIndexes({
      ...store,
      async *scanSamples(dataset, snapshot) {
        yield* store.scanSamples(dataset, snapshot);
        await store.deleteDataset("d");
        vi.advanceTimersByTime(1);
        if (comesBack) await write(store, "b");
      },
    });
    await expect(indexes.of("d")).rejects.toMatchObject({ code: "dataset_not_found" });
  }
});
