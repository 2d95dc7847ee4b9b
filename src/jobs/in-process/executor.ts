import type { Hooks } from "../../scoring/datasets/long-work.js";
import type { WorkInput, WorkKind, WorkResult } from "../kinds.js";

/** Runs work, several pieces at once if it is given several. */
export interface Executor {
  /** Rejects with the error of the work, or with the reason of the signal. */
  run<K extends WorkKind>(kind: K, input: WorkInput<K>, hooks: Hooks): Promise<WorkResult<K>>;
  close(): Promise<void>;
}
