import type { ErrorCode, Fault } from "../../errors.js";
import type { WorkInput, WorkKind, WorkResult } from "../kinds.js";

/** What the service says to the thread. */
export type ToThread =
  | { readonly id: number; readonly kind: WorkKind; readonly input: WorkInput }
  | { readonly cancel: number }
  | { readonly close: true };

/** What the thread says to the service. */
export type FromThread =
  | { readonly id: number; readonly progress: number }
  | { readonly id: number; readonly result: WorkResult }
  | { readonly id: number; readonly error: ThrownError };

/** An error of the catalogue between threads. */
export interface ThrownError {
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly faults: readonly Fault[];
  readonly retryAfterMs: number | undefined;
  readonly stack: string | undefined;
}
