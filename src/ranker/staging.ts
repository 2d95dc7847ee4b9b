import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  access,
  copyFile,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { AssayError } from "../errors.js";
import { digestOfFile } from "./digests.js";
import { type Manifest, WEIGHTS_FILE } from "./manifest.js";
import { type ModelFolder, readModelFolder } from "./model-folder.js";
import { fileFault, isSystemError } from "./thrown.js";

const MANIFEST_FILE = "model.json";
/** Suffix of a file that is about to replace the file without the suffix. */
const NEXT = ".next";
const STAGING_PREFIX = ".staging-";
/**
 * Identifies this machine or container. A process id is only meaningful on its own machine, and machines may share the folder.
 */
const HOST = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
/** A staging folder of another machine is abandoned after this time without a change. A ranker that still uses it loads again. */
const FOREIGN_MS_MAX = 60 * 60 * 1000;
/** Two services that share a folder may finish the same commit. Then each may find, once or twice, that a file has gone. */
const ATTEMPTS = 3;

/**
 * Makes a staging folder inside the model folder, with links to all its files except the weights and the manifest. A ranker may
 * run from it until the ranker ends, because later changes to the model folder do not affect it. The folder's name contains the
 * process that owns it and its machine. Throws `model_read_only`.
 */
export async function createStaging({ directory, manifest }: ModelFolder): Promise<string> {
  const staging = join(
    directory,
    `${STAGING_PREFIX}${process.pid}-${randomBytes(6).toString("hex")}-${HOST}`,
  );
  return writing(async () => {
    await mkdir(staging);
    try {
      for (const name of Object.keys(manifest.files)) {
        if (name !== WEIGHTS_FILE) await linkOrCopy(join(directory, name), join(staging, name));
      }
    } catch (error) {
      await removeStaging(staging);
      throw error;
    }
    return staging;
  });
}

/** Writes the manifest of a staging folder. All other files have to be complete. Throws `model_read_only`. */
export async function completeStaging(staging: string, manifest: Manifest): Promise<ModelFolder> {
  await writing(async () => {
    const file = await open(join(staging, MANIFEST_FILE), "wx");
    try {
      await file.writeFile(`${JSON.stringify(manifest, null, 1)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(staging);
  });
  return { directory: staging, manifest };
}

/**
 * Brings the staged weights and manifest into the model folder, so that the next start loads them. The staging folder stays as it
 * is. After a crash, the next start finishes the commit if `model.json.next` exists, and otherwise undoes it: see `settleFolder`.
 * Throws `model_read_only`.
 */
export async function commitStaging(directory: string, staging: string): Promise<void> {
  await persisting(() => commitOnce(directory, staging));
}

async function commitOnce(directory: string, staging: string): Promise<void> {
  await writing(async () => {
    const weights = join(directory, WEIGHTS_FILE);
    const manifest = join(directory, MANIFEST_FILE);
    const draft = `${manifest}${NEXT}.draft`;
    for (const path of [`${weights}${NEXT}`, draft]) await rm(path, { force: true });
    await linkOrCopy(join(staging, WEIGHTS_FILE), `${weights}${NEXT}`);
    await linkOrCopy(join(staging, MANIFEST_FILE), draft);
    await syncDirectory(directory);
    await rename(draft, `${manifest}${NEXT}`);
    await syncDirectory(directory);
    await rename(`${weights}${NEXT}`, weights);
    await rename(`${manifest}${NEXT}`, manifest);
    await syncDirectory(directory);
  });
}

export async function removeStaging(staging: string): Promise<void> {
  await rm(staging, { recursive: true, force: true });
}

/**
 * Runs at the start: finishes or undoes a commit that a crash interrupted, and removes staging folders that no process owns. A
 * folder that cannot be written stays as it is: no commit can begin there, and the digests reveal one that is half done.
 */
export async function settleFolder(directory: string): Promise<void> {
  const writable = await access(directory, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (writable) await persisting(() => settleOnce(directory));
}

async function settleOnce(directory: string): Promise<void> {
  const names = await readdir(directory);
  if (names.includes(`${MANIFEST_FILE}${NEXT}`)) await finishCommit(directory);
  const left: string[] = names.filter(
    (name) => name === `${WEIGHTS_FILE}${NEXT}` || name === `${MANIFEST_FILE}${NEXT}.draft`,
  );
  const staged = names.filter((name) => name.startsWith(STAGING_PREFIX));
  for (const name of staged) if (await isAbandoned(directory, name)) left.push(name);
  await writing(async () => {
    for (const name of left) await rm(join(directory, name), { recursive: true, force: true });
  });
}

/** Repeats the work if a file has disappeared during it. */
async function persisting(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const { cause } = error as { cause?: NodeJS.ErrnoException };
      if (attempt === ATTEMPTS || cause?.code !== "ENOENT") throw error;
    }
  }
}

/**
 * Finishes a commit. The weights that `model.json.next` names are still pending or, if the crash came later, already in place.
 */
async function finishCommit(directory: string): Promise<void> {
  const [weights, manifest] = [WEIGHTS_FILE, MANIFEST_FILE].map((name) => join(directory, name)) as [
    string,
    string,
  ];
  const { manifest: next } = await readModelFolder(directory, `${MANIFEST_FILE}${NEXT}`);
  const wanted = next.files[WEIGHTS_FILE]?.sha256;
  await writing(async () => {
    if ((await digestOfFile(`${weights}${NEXT}`).catch(absent)) === wanted) {
      await rename(`${weights}${NEXT}`, weights);
    }
    if ((await digestOfFile(weights).catch(absent)) === wanted) await rename(`${manifest}${NEXT}`, manifest);
    // The folder has other weights: an export has replaced them since, so its manifest is the newer one.
    else await rm(`${manifest}${NEXT}`);
    await syncDirectory(directory);
  });
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}

/** Whether no process runs from a staging folder or writes into it. */
async function isAbandoned(directory: string, name: string): Promise<boolean> {
  const [pid, , host = HOST] = name.slice(STAGING_PREFIX.length).split("-");
  if (host === HOST) return !isAlive(Number(pid));
  const touched = [join(directory, name), join(directory, name, WEIGHTS_FILE)].map((path) =>
    stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
  );
  return Date.now() - Math.max(...(await Promise.all(touched))) > FOREIGN_MS_MAX;
}

/** Whether another process of this machine has this id. This process owns no staging folder before its start is over. */
function isAlive(pid: number): boolean {
  if (!(pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isSystemError(error) && error.code === "EPERM";
  }
}

/** Makes a hard link, or a synced copy if the file system has no hard links. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (!isSystemError(error) || !NO_LINKS.has(error.code ?? "")) throw error;
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    await syncFile(await open(to, "r"));
  }
}

const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "EXDEV", "EMLINK", "ENOSYS"]);

/** Makes the names in a directory durable. */
async function syncDirectory(directory: string): Promise<void> {
  await syncFile(await open(directory, "r"));
}

async function syncFile(file: FileHandle): Promise<void> {
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Runs `work`. Throws `model_read_only` without the path if the file system refuses. */
export async function writing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    throw new AssayError("model_read_only", {
      detail: `The model's folder cannot be written to: ${fileFault(cause)}`,
      cause,
    });
  }
}
