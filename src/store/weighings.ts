import { AssayError } from "../errors.js";
import type { SnapshotInfo } from "./port.js";
import { openTurns } from "./turns.js";

/** Most weighings of one dataset that run or wait. Each holds the weights of all samples in memory. */
const WEIGHINGS_MAX = 32;

/**
 * Lets the writers of one dataset's snapshots take turns within the process, because a stored sample has room for the weights of
 * only few unfinished snapshots. Throws `overloaded` if too many wait.
 */
export function openWeighings(): (
  dataset: string,
  write: () => Promise<SnapshotInfo>,
) => Promise<SnapshotInfo> {
  const turns = openTurns();
  return async (dataset, write) => {
    if (turns.waiting(dataset) >= WEIGHINGS_MAX)
      throw new AssayError("overloaded", {
        detail: `${WEIGHINGS_MAX} weighings of dataset "${dataset}" are running or waiting: send the request again later`,
      });
    return turns.take(dataset, write);
  };
}

/** The error for a snapshot that may have lost weights, because other processes began too many snapshots; see `LATER_MAX`. */
export function weighingOvertaken(dataset: string): AssayError {
  return new AssayError("overloaded", {
    detail: `Too many other weighings of dataset "${dataset}" began before this one was done: weigh the dataset again`,
  });
}
