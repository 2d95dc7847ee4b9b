import { AssayError } from "../../../errors.js";

/** Why nobody waits any more: the signal's reason where it is one of ours, or `cancelled`. */
export function abortReason({ reason }: AbortSignal): AssayError {
  return reason instanceof AssayError ? reason : new AssayError("cancelled");
}
