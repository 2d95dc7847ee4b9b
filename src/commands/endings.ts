import { AssayError } from "../errors.js";

/** A command that ends before its work is done, by no fault: the process exits with `exitCode`. */
export class EarlyEnd extends Error {
  /** @param message what a person should know; nothing where it is empty */
  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
  }
}

/** What a shell says of a process that a signal ended. */
const SIGNAL_EXIT_BASE = 128;
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const SIGPIPE = 13;

/** Standard output has nobody left to read it, as in `assay score … | head -1`. */
export function readerGone(): EarlyEnd {
  return new EarlyEnd("", SIGNAL_EXIT_BASE + SIGPIPE);
}

/**
 * A signal that aborts with an `EarlyEnd` at the first SIGINT, SIGTERM or SIGHUP, so that a command can put its files in order; the
 * second one ends the process. `release` gives the signals back.
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

/**
 * Standard output and standard error may lose their readers without taking the process with them. A command whose answer nobody
 * reads any more ends with the code of a broken pipe; a service goes on.
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
