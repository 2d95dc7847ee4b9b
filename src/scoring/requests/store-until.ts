import { setTimeout as delay } from "node:timers/promises";
import { AssayError } from "../../errors.js";
import type { Caller } from "../../ranker/port.js";
import type { OutputsStore, Store } from "../../store/port.js";

/**
 * The store for a caller who may disconnect or run out of time. The methods then throw the caller's reason, while an operation
 * that has begun goes on in the store. Only `writeDirection` is always waited for: it ends by itself, because its vector
 * throws when the caller gives up.
 */
export function storeUntil(store: Store, caller: Caller): Store {
  const until = <T>(begin: () => Promise<T>): Promise<T> => untilOver(begin, caller);
  return {
    ...outputsUntil(store, caller),
    status: () => until(() => store.status()),
    writeSamples: (dataset, entries) => until(() => store.writeSamples(dataset, entries)),
    lookUp: (dataset, ids) => until(() => store.lookUp(dataset, ids)),
    readSamples: (dataset, ids) => until(() => store.readSamples(dataset, ids)),
    deleteSample: (dataset, id) => until(() => store.deleteSample(dataset, id)),
    scanSamples: (dataset) => eachUntil(store.scanSamples(dataset), caller),
    listDatasets: (cursor, limit) => until(() => store.listDatasets(cursor, limit)),
    readDataset: (dataset) => until(() => store.readDataset(dataset)),
    deleteDataset: (dataset) => until(() => store.deleteDataset(dataset)),
    writeSnapshot: (dataset, weights, provenance) =>
      until(() => store.writeSnapshot(dataset, weights, provenance)),
    readDirection: (name) => until(() => store.readDirection(name)),
    readDirectionVector: (name, digest) => eachUntil(store.readDirectionVector(name, digest), caller),
    listDirections: (cursor, limit) => until(() => store.listDirections(cursor, limit)),
    deleteDirection: (name) => until(() => store.deleteDirection(name)),
    writeDirection: (facts, vector) => store.writeDirection(facts, vector),
    close: () => store.close(),
  };
}

/** The same as `storeUntil`, for the part of the store that keeps outputs. */
export function outputsUntil(store: OutputsStore, caller: Caller): OutputsStore {
  return {
    digestKey: () => untilOver(() => store.digestKey(), caller),
    readOutputs: (keys) => untilOver(() => store.readOutputs(keys), caller),
    writeOutputs: (entries) => untilOver(() => store.writeOutputs(entries), caller),
  };
}

/**
 * Throws if the caller no longer waits. It checks the time itself, because the timer of a deadline may not have had its turn yet.
 */
export function throwIfOver({ signal, deadlineAtMs }: Caller): void {
  if (signal.aborted) throw signal.reason;
  if (deadlineAtMs !== null && performance.now() > deadlineAtMs) throw new AssayError("deadline_exceeded");
}

async function untilOver<T>(begin: () => Promise<T>, caller: Caller): Promise<T> {
  const { signal, deadlineAtMs } = caller;
  // The deadline has passed, but its timer may not have run yet. Let it run: its reason is more precise than ours.
  if (deadlineAtMs !== null && performance.now() > deadlineAtMs) await delay(1);
  throwIfOver(caller);
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
  });
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([begin(), aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function* eachUntil<T>(steps: AsyncIterable<T>, caller: Caller): AsyncGenerator<T> {
  const iterator = steps[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await untilOver(() => iterator.next(), caller);
      if (step.done) return;
      yield step.value;
    }
  } finally {
    // A step that has begun ends by itself, with success or failure. Nobody waits for it.
    void iterator.return?.().catch(() => undefined);
  }
}
