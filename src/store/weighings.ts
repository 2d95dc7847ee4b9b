import { AssayError } from "../errors.js";
import type { SnapshotInfo } from "./port.js";
import { openTurns } from "./turns.js";

/** Weighings of one dataset that are under way or wait: each holds the weights of all samples in memory. */
const WEIGHINGS_MAX = 32;

/**
 * Gives the writings of one dataset's snapshots turns within the process: a stored sample has room for few that are not
 * done. Throws `overloaded` where too many wait.
 */
export function openWeighings(): (
  dataset: string,
  write: () => Promise<SnapshotInfo>,
) => Promise<SnapshotInfo> {
  const turns = openTurns();
  return async (dataset, write) => {
    if (turns.waiting(dataset) >= WEIGHINGS_MAX)
      throw new AssayError("overloaded", {
        detail: `${WEIGHINGS_MAX} weighings of dataset "${dataset}" are under way: wait for them`,
      });
    return turns.take(dataset, write);
  };
}

/** Of a snapshot that may have lost weights to those of other processes; see `LATER_MAX`. */
export function weighingOvertaken(dataset: string): AssayError {
  return new AssayError("overloaded", {
    detail: `Too many other weighings of dataset "${dataset}" began before this one was done: weigh it again`,
  });
}
