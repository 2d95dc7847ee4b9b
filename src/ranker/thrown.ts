/** What was thrown, in words. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Whether the system refused a call, which the error names as `syscall`. */
export function isSystemError(thrown: unknown): thrown is NodeJS.ErrnoException {
  return thrown instanceof Error && "syscall" in thrown;
}

/** What the file system refuses, without the path. */
export function fileFault(cause: unknown): string {
  return isSystemError(cause) ? `${cause.syscall} fails with ${cause.code}` : messageOf(cause);
}
