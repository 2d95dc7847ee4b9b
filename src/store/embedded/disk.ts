import { open, rm, stat } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import { AssayError } from "../../errors.js";

const { ENOSPC, EFBIG, EDQUOT } = constants.errno;
/** Errors of a file system that is full: no free block, the largest file size, the user's quota. */
const FULL: ReadonlySet<number> = new Set([ENOSPC, EFBIG, EDQUOT]);
const PROBE_BYTES = 2 ** 16;

/** LMDB's file in the data directory. */
export const DATA_FILE = "data.mdb";

/** An error of LMDB or of the file system, in the catalogue's terms. */
export function explain(error: unknown): AssayError {
  if (error instanceof AssayError) return error;
  if (!FULL.has(errnoOf(error))) return unavailable(error);
  return new AssayError("store_full", {
    detail: `The disk of the data directory is full (${messageOf(error)}): free some space; Assay needs no restart`,
    cause: error,
  });
}

export function unavailable(cause: unknown): AssayError {
  return new AssayError("store_unavailable", {
    detail: `The embedded store failed: ${messageOf(cause)}`,
    cause,
  });
}

export function isFull(error: AssayError): boolean {
  return error.code === "store_full";
}

/**
 * Writes some bytes at an offset after the end of the data, as a commit does, and removes them. Throws the file system's error.
 */
export async function probeRoom(directory: string): Promise<void> {
  const { size } = await stat(join(directory, DATA_FILE));
  const path = join(directory, "room");
  const file = await open(path, "w");
  try {
    const block = Buffer.alloc(PROBE_BYTES);
    for (let at = 0; at < block.length; )
      at += (await file.write(block, at, block.length - at, size + at)).bytesWritten;
    await file.sync();
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

/** The error number. LMDB gives the number itself, Node its negative. */
function errnoOf(error: unknown): number {
  const { errno, code } = error as { errno?: unknown; code?: unknown };
  const number = typeof errno === "number" ? errno : code;
  return typeof number === "number" ? Math.abs(number) : 0;
}

/** The error's message without the path. Node appends the path to the reason, but clients must not see it. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "syscall" in error ? (error.message.split(", ")[0] as string) : error.message;
}
