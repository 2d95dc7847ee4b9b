import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { AssayError } from "../errors.js";
import { createLocations } from "./external-data.js";
import type { ModelFolder } from "./model-folder.js";
import { fileFault } from "./thrown.js";

/** Compares every file of the manifest with its digest. Throws `model_invalid` naming the first that differs or has no digest. */
export async function checkDigests(folder: ModelFolder): Promise<void> {
  for (const name of Object.keys(folder.manifest.files)) await checkDigest(folder, name);
}

/**
 * Compares one file of the manifest with its digest. For a graph it also checks that the files with the graph's tensors have
 * digests. Throws `model_invalid`.
 */
export async function checkDigest({ directory, manifest }: ModelFolder, name: string): Promise<void> {
  const expected = manifest.files[name]?.sha256;
  const shown = `${manifest.name}/${name}`;
  const isGraph = Object.values(manifest.graphs).includes(name);
  const locations = createLocations();
  let found: string;
  try {
    found = await digestOfFile(join(directory, name), isGraph ? locations.add : undefined);
  } catch (cause) {
    throw new AssayError("model_invalid", { detail: `${shown} cannot be read: ${fileFault(cause)}`, cause });
  }
  if (found !== expected) {
    throw new AssayError("model_invalid", {
      detail: `${shown} does not match its digest: the manifest says ${expected}, the file is ${found}`,
    });
  }
  const unlisted = [...locations.found()].find((location) => !Object.hasOwn(manifest.files, location));
  if (unlisted === undefined) return;
  throw new AssayError("model_invalid", {
    detail: `${shown} reads weights from ${unlisted}, which has no digest among the manifest's files`,
  });
}

/** Bytes that are read at once. With the preset 64 KiB, weights of 440 MB take one and a half to two times the CPU time. */
const READ_BYTES = 2 ** 20;

/** SHA-256 of a file, in hex; `onChunk` gets its bytes. */
export async function digestOfFile(path: string, onChunk?: (chunk: Uint8Array) => void): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
    const bytes: Buffer = chunk;
    hash.update(bytes);
    onChunk?.(bytes);
  }
  return hash.digest("hex");
}
