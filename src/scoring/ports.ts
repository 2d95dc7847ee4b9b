import type { Stopwatch } from "../observe/stopwatch.js";
import type { Caller, Ranker, Rankers } from "../ranker/port.js";
import type { OutputsStore, Store } from "../store/port.js";

/** What a use case speaks to. */
export interface Ports {
  readonly rankers: Rankers;
  readonly store: Store;
}

/** One model, kept open, and the store of what models said. */
export interface ModelPorts {
  readonly ranker: Ranker;
  readonly store: OutputsStore;
}

/** Who waits for the work, and what tells its stages apart. */
export interface Watch {
  readonly caller: Caller;
  readonly stopwatch: Stopwatch;
}
