import { lstat, mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "assay-engine-";
/** A running process marks its directory this often. */
const MARK_EVERY_MS = 30_000;
/** A directory that was not marked for so long belongs to no running process. */
const ABANDONED_AFTER_MS = 600_000;

/** A directory for temporary files. */
export interface Scratch {
  readonly directory: string;
  /** Removes the directory with its files. */
  remove(): Promise<void>;
}

/**
 * Makes a directory for temporary files of this process, and removes those that killed processes left. As long as this process
 * runs, the directory and its files count as new: no other engine removes them, nor does a service that cleans temporary folders.
 */
export async function makeScratch(): Promise<Scratch> {
  await removeAbandoned();
  const directory = await mkdtemp(join(tmpdir(), PREFIX));
  const marking = setInterval(() => void mark(directory), MARK_EVERY_MS).unref();
  return {
    directory,
    async remove() {
      clearInterval(marking);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** If a file is gone, this fails and the process ends: the next one makes all files again. */
async function mark(directory: string): Promise<void> {
  const now = new Date();
  for (const name of await readdir(directory)) await utimes(join(directory, name), now, now);
  await utimes(directory, now, now);
}

async function removeAbandoned(): Promise<void> {
  const names = await readdir(tmpdir());
  for (const path of names.filter((name) => name.startsWith(PREFIX)).map((name) => join(tmpdir(), name))) {
    if (await isAbandoned(path)) await rm(path, { recursive: true, force: true });
  }
}

/** Another engine that starts now may remove the same directory, so it may be gone. */
async function isAbandoned(path: string): Promise<boolean> {
  try {
    const { uid, mtimeMs } = await lstat(path);
    return uid === process.getuid?.() && Date.now() - mtimeMs > ABANDONED_AFTER_MS;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
