import type { Stopwatch } from "../observe/stopwatch.js";
import type { AskedMatrix, Caller, Ranker, Rankers, Wanted } from "../ranker/port.js";
import type { OutputsPart, OutputsStore, Store } from "../store/port.js";

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

/** The extra matrices that a record of outputs can hold. */
export type KeptMatrix = Extract<AskedMatrix, OutputsPart>;

/** What a run computes for each text, all of which a record of outputs can hold. */
export type WantedRecord = Wanted<KeptMatrix>;

/** Who waits for the work, and the stopwatch that times its stages. */
export interface Watch {
  readonly caller: Caller;
  readonly stopwatch: Stopwatch;
}
