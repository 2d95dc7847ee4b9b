import type { Stopwatch } from "../observe/stopwatch.js";
import type { Caller, Ranker, Rankers } from "../ranker/port.js";
import type { OutputsStore, Store } from "../store/port.js";

/** The two interfaces through which the use cases reach models and storage. */
export interface Ports {
  readonly rankers: Rankers;
  readonly store: Store;
}

/** One model, kept open, and the store of models' outputs. */
export interface ModelPorts {
  readonly ranker: Ranker;
  readonly store: OutputsStore;
}

/** Who waits for the work, and the stopwatch that times its stages. */
export interface Watch {
  readonly caller: Caller;
  readonly stopwatch: Stopwatch;
}
