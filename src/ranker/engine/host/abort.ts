import { AssayError } from "../../../errors.js";

/** The error of an aborted signal: its reason if that is an error of the catalogue, or else `cancelled`. */
export function abortReason({ reason }: AbortSignal): AssayError {
  return reason instanceof AssayError ? reason : new AssayError("cancelled");
}
