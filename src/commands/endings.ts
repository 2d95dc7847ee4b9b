import { AssayError } from "../errors.js";

/** A command ends before its work is done, without an error of its own. The process exits with `exitCode`. */
export class EarlyEnd extends Error {
  /** @param message what the user should know; if it is empty, nothing is printed */
  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
  }
}

/** A shell reports this number plus the signal's number for a process that a signal ended. */
const SIGNAL_EXIT_BASE = 128;
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const SIGPIPE = 13;

/** The end of a command whose standard output is no longer read, as in `assay score … | head -1`. */
export function readerGone(): EarlyEnd {
  return new EarlyEnd("", SIGNAL_EXIT_BASE + SIGPIPE);
}

/**
 * An abort signal for SIGINT, SIGTERM and SIGHUP. The first of them aborts it with an `EarlyEnd`, so that a command can still
 * rename or delete its files. The second one ends the process. `release` removes the listeners.
 */
export function abortOnSignals(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const listeners = Object.entries(SIGNALS).map(([name, number]) => {
    const exitCode = SIGNAL_EXIT_BASE + number;
    const listener = (): void => {
      if (controller.signal.aborted) process.exit(exitCode);
      controller.abort(new EarlyEnd(`ended by ${name}`, exitCode));
    };
    process.on(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    release() {
      for (const { name, listener } of listeners) process.off(name, listener);
    },
  };
}

/** The error of a command that keeps what it has written so far, with the place of it. @param kept null if nothing is kept */
export function withKept(error: unknown, what: string, kept: string | null): unknown {
  if (kept === null) return error;
  const where = `${what} ${kept}`;
  if (error instanceof EarlyEnd) return new EarlyEnd(`${error.message}. ${where}`, error.exitCode);
  if (!(error instanceof AssayError)) return error;
  return new AssayError(error.code, { detail: `${error.message}\n${where}`, cause: error });
}

/**
 * Keeps the process alive when nobody reads its standard output or standard error any more. A command then ends with the exit
 * code of a broken pipe. A service goes on.
 */
export function outliveReaders(): void {
  process.stderr.on("error", () => undefined);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exitCode ??= readerGone().exitCode;
    else if (process.exitCode === undefined) {
      process.exitCode = 1;
      process.stderr.write(`assay: ${stdoutFault(error).message}\n`);
    }
  });
}

export function stdoutFault(cause: Error): AssayError {
  return new AssayError("output_invalid", {
    detail: `standard output cannot be written: ${cause.message}`,
    cause,
  });
}
