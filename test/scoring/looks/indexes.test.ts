import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { openIndexes } from "../../../src/scoring/looks/indexes.js";
import type { Store } from "../../../src/store/port.js";
import { sample } from "../../store/conformance/records.js";
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
