import { accessSync, constants, fstatSync, type Stats, statSync } from "node:fs";
import { AssayError } from "../../errors.js";
import { nameOf, STANDARD_INPUT } from "./bytes.js";

/** The input from which a command reads its samples. */
export interface Input {
  readonly path: string;
  /** Its name in messages. */
  readonly name: string;
  /** Whether it can be read a second time, as a file can. A pipe can be read only once. */
  readonly isReadTwice: boolean;
  /** Whether `output` is the same file. Writing it would overwrite input that has not been read yet. */
  isFile(output: string): boolean;
}

/** Throws `input_invalid` if the file cannot be read. */
export function checkInput(path: string): Input {
  const stats = path === STANDARD_INPUT ? fstatSync(process.stdin.fd) : statsOf(path);
  return {
    path,
    name: nameOf(path),
    isReadTwice: path !== STANDARD_INPUT && stats.isFile(),
    isFile(output) {
      const other = statSync(output, { throwIfNoEntry: false });
      return other !== undefined && other.dev === stats.dev && other.ino === stats.ino;
    },
  };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user has no permission to read it",
};

function statsOf(path: string): Stats {
  try {
    accessSync(path, constants.R_OK);
    const stats = statSync(path);
    if (!stats.isDirectory()) return stats;
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    throw new AssayError("input_invalid", {
      detail: `${path} cannot be read: ${REASONS[code] ?? message}`,
      cause,
    });
  }
  throw new AssayError("input_invalid", { detail: `${path} cannot be read: it is a folder` });
}
