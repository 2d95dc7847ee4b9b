/** What the file system refuses, without the path. */
export function fileFault(cause: unknown): string {
  const { code, syscall, message } = cause as NodeJS.ErrnoException;
  return syscall === undefined ? message : `${syscall} fails with ${code}`;
}
