import type { Store } from "../../store/port.js";
import type { Indexes } from "../looks/indexes.js";

/** What long work on datasets needs. It has no models, so it can run in a thread that has only a store. */
export interface DatasetPorts {
  readonly store: Store;
  readonly indexes: Indexes;
}

/** How long work tells about itself and hears that it should end. */
export interface Hooks {
  /** The work ends with the signal's reason soon after it aborts. */
  readonly signal: AbortSignal;
  /** @param share of the work that is done, 0 to 1 */
  onProgress(share: number): void;
}
