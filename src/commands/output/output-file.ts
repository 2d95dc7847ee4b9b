import { accessSync, constants, realpathSync, type Stats, statSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AssayError } from "../../errors.js";
import { readerGone, stdoutFault } from "../endings.js";

/** Where a command writes its output. */
export interface Output {
  readonly isTerminal: boolean;
  /** Whether `abandon` keeps what was written. */
  readonly keepsParts: boolean;
  write(part: string | Uint8Array): Promise<void>;
  /** Call this after the last write. A file gets its name then. */
  finish(): Promise<void>;
  /** Call this if the command fails. Returns the name under which the written part is kept; null if nothing is kept. */
  abandon(): Promise<string | null>;
}

/** The name of standard output on the command line. */
const STANDARD_OUTPUT = "-";

/**
 * Standard output if `path` is absent or `-`. A file is written under another name in the same folder, and gets its name when it
 * is complete. Until then an existing file stays. If the command fails, what was written is kept as `PATH.partial`. A device or
 * a pipe is written to directly. Throws `output_invalid` if it cannot be written.
 */
export async function openOutput(path = STANDARD_OUTPUT): Promise<Output> {
  if (path === STANDARD_OUTPUT) return standardOutput();
  try {
    const target = statSync(path, { throwIfNoEntry: false });
    if (target !== undefined) accessSync(path, constants.W_OK);
    if (target !== undefined && !target.isFile()) return await openInPlace(path);
    return await openBeside(target === undefined ? path : realpathSync(path), target, path);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function standardOutput(): Output {
  return {
    isTerminal: process.stdout.isTTY,
    keepsParts: false,
    write: (text) =>
      new Promise((resolve, reject) => {
        process.stdout.write(text, (error: NodeJS.ErrnoException | null | undefined) => {
          if (error === null || error === undefined) resolve();
          else reject(error.code === "EPIPE" ? readerGone() : stdoutFault(error));
        });
      }),
    finish: async () => undefined,
    abandon: async () => null,
  };
}

async function openInPlace(path: string): Promise<Output> {
  const file = await open(path, "w");
  return {
    isTerminal: false,
    keepsParts: false,
    write: (text) => appended(file, text, path),
    finish: () => file.close(),
    async abandon() {
      await file.close();
      return null;
    },
  };
}

async function openBeside(target: string, replaced: Stats | undefined, path: string): Promise<Output> {
  const draft = join(dirname(target), `.${basename(target)}.${process.pid}.draft`);
  const file = await open(draft, "w", replaced?.mode);
  let isEmpty = true;
  let isWhole = true;
  return {
    isTerminal: false,
    keepsParts: true,
    async write(text) {
      isEmpty = false;
      await appended(file, text, path).catch((error: unknown) => {
        isWhole = false;
        throw error;
      });
    },
    async finish() {
      await file.sync();
      await file.close();
      await rename(draft, target);
    },
    async abandon() {
      await file.close();
      if (isEmpty || !isWhole) {
        await rm(draft, { force: true });
        return null;
      }
      const partial = `${path}.partial`;
      await rename(draft, `${target}.partial`);
      return partial;
    },
  };
}

async function appended(file: FileHandle, text: string | Uint8Array, path: string): Promise<void> {
  try {
    await file.appendFile(text);
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function unwritable(path: string, cause: unknown): AssayError {
  return new AssayError("output_invalid", {
    detail: `${path} cannot be written: ${(cause as Error).message}`,
    cause,
  });
}
