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
  return new StoreUntil(store, caller);
}

/** The same as `storeUntil`, for the part of the store that keeps outputs. */
export function outputsUntil(store: OutputsStore, caller: Caller): OutputsStore {
  return new OutputsUntil(store, caller);
}

/** A class, because every request makes one: making a function for each method would cost more than its store calls wait. */
class OutputsUntil<S extends OutputsStore> implements OutputsStore {
  constructor(
    protected readonly store: S,
    protected readonly caller: Caller,
  ) {}

  digestKey() {
    return untilOver(() => this.store.digestKey(), this.caller);
  }
  readOutputs(...of: Parameters<Store["readOutputs"]>) {
    return untilOver(() => this.store.readOutputs(...of), this.caller);
  }
  writeOutputs(...of: Parameters<Store["writeOutputs"]>) {
    return untilOver(() => this.store.writeOutputs(...of), this.caller);
  }
}

class StoreUntil extends OutputsUntil<Store> implements Store {
  status() {
    return untilOver(() => this.store.status(), this.caller);
  }
  writeSamples(...of: Parameters<Store["writeSamples"]>) {
    return untilOver(() => this.store.writeSamples(...of), this.caller);
  }
  lookUp(...of: Parameters<Store["lookUp"]>) {
    return untilOver(() => this.store.lookUp(...of), this.caller);
  }
  readHistories(...of: Parameters<Store["readHistories"]>) {
    return untilOver(() => this.store.readHistories(...of), this.caller);
  }
  readSamples(...of: Parameters<Store["readSamples"]>) {
    return untilOver(() => this.store.readSamples(...of), this.caller);
  }
  deleteSample(...of: Parameters<Store["deleteSample"]>) {
    return untilOver(() => this.store.deleteSample(...of), this.caller);
  }
  scanSamples(...of: Parameters<Store["scanSamples"]>) {
    return eachUntil(this.store.scanSamples(...of), this.caller);
  }
  listDatasets(...of: Parameters<Store["listDatasets"]>) {
    return untilOver(() => this.store.listDatasets(...of), this.caller);
  }
  readDataset(...of: Parameters<Store["readDataset"]>) {
    return untilOver(() => this.store.readDataset(...of), this.caller);
  }
  deleteDataset(...of: Parameters<Store["deleteDataset"]>) {
    return untilOver(() => this.store.deleteDataset(...of), this.caller);
  }
  writeSettings(...of: Parameters<Store["writeSettings"]>) {
    return untilOver(() => this.store.writeSettings(...of), this.caller);
  }
  readSettings(...of: Parameters<Store["readSettings"]>) {
    return untilOver(() => this.store.readSettings(...of), this.caller);
  }
  writeEmbeddings(...of: Parameters<Store["writeEmbeddings"]>) {
    return untilOver(() => this.store.writeEmbeddings(...of), this.caller);
  }
  scanEmbeddings(...of: Parameters<Store["scanEmbeddings"]>) {
    return eachUntil(this.store.scanEmbeddings(...of), this.caller);
  }
  writeSnapshot(...of: Parameters<Store["writeSnapshot"]>) {
    return untilOver(() => this.store.writeSnapshot(...of), this.caller);
  }
  readDoneRequest(...of: Parameters<Store["readDoneRequest"]>) {
    return untilOver(() => this.store.readDoneRequest(...of), this.caller);
  }
  readLater(...of: Parameters<Store["readLater"]>) {
    return untilOver(() => this.store.readLater(...of), this.caller);
  }
  listSnapshots(...of: Parameters<Store["listSnapshots"]>) {
    return untilOver(() => this.store.listSnapshots(...of), this.caller);
  }
  readDirection(...of: Parameters<Store["readDirection"]>) {
    return untilOver(() => this.store.readDirection(...of), this.caller);
  }
  readDirectionVector(...of: Parameters<Store["readDirectionVector"]>) {
    return eachUntil(this.store.readDirectionVector(...of), this.caller);
  }
  listDirections(...of: Parameters<Store["listDirections"]>) {
    return untilOver(() => this.store.listDirections(...of), this.caller);
  }
  deleteDirection(...of: Parameters<Store["deleteDirection"]>) {
    return untilOver(() => this.store.deleteDirection(...of), this.caller);
  }
  writeDirection(...of: Parameters<Store["writeDirection"]>) {
    return this.store.writeDirection(...of);
  }
  close() {
    return this.store.close();
  }
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
  return unlessAborted(begin(), signal);
}

/** The result of `work`. Throws the signal's reason if it aborts before. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason);
    signal.addEventListener("abort", giveUp);
    const settle = (): void => signal.removeEventListener("abort", giveUp);
    work.then(
      (result) => {
        settle();
        resolve(result);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
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
