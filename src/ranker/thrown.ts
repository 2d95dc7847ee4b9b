import { messageOf } from "../errors.js";

/** Whether this is the error of a system call, which its `syscall` names. */
export function isSystemError(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && "syscall" in thrown;
}

/** What the file system has refused, without the path. */
export function fileFault(cause: unknown): string {
  return isSystemError(cause) ? `${cause.syscall} fails with ${cause.code}` : messageOf(cause);
}
