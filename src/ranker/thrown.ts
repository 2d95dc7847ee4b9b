import { messageOf } from "../errors.js";

/** Whether the system refused a call, which the error names as `syscall`. */
export function isSystemError(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && "syscall" in thrown;
}

/** What the file system refuses, without the path. */
export function fileFault(cause: unknown): string {
  return isSystemError(cause) ? `${cause.syscall} fails with ${cause.code}` : messageOf(cause);
}
