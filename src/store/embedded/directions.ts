import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { corrupt } from "../codec/bytes.js";
import { directionInfo } from "../codec/direction.js";
import { parseObject } from "../codec/json.js";
import { checked, factsOf, inChunks, VECTOR_CHUNK_BYTES, type VectorFacts } from "../codec/vector.js";
import type { Page } from "../dataset-records.js";
import { directionNotFound, type Lifetime } from "../lifetime.js";
import { nameOfCursor, pageByName } from "../page.js";
import type { DirectionFacts, DirectionInfo, DirectionStore } from "../port.js";
import { isUndecided } from "./commits.js";
import { type Environment, freshVersion } from "./environment.js";

/** A file that no direction names is still being written. After this time its writer has probably died. */
const ABANDONED_MS = 3_600_000;

export interface SweptDirections extends DirectionStore {
  /** Removes files that dead writers have left behind. */
  sweep(): Promise<void>;
}

interface DirectionEntry {
  readonly info: DirectionInfo;
  /** Each write has a new file name, so a file never changes once an entry names it. */
  readonly file: string;
}

/**
 * The vectors of directions are files of a folder, because a file may be large and leaves no hole in LMDB when it is removed. The
 * entries that name the files are in LMDB. A file is on disk before its entry, and is removed after its entry. A reader that has
 * the file open can still read it then.
 */
export async function openDirections(
  { directions, refresh, putIf }: Environment,
  directory: string,
  { run, runEach }: Lifetime,
): Promise<SweptDirections> {
  const folder = join(directory, "directions");
  await mkdir(folder, { recursive: true });
  const pathOf = (file: string): string => join(folder, file);

  function readEntry(name: string): DirectionEntry | null {
    refresh();
    const bytes = directions.get(Buffer.from(name));
    return bytes === undefined ? null : parseEntry(bytes);
  }

  /** Replaces the entry with `next`, or removes it if `next` is null. Answers the entry before. */
  async function replace(name: string, next: DirectionEntry | null): Promise<DirectionEntry | null> {
    const key = Buffer.from(name);
    for (;;) {
      refresh();
      const old = directions.getEntry(key);
      if (next === null && old === undefined) return null;
      const replaced = await putIf(directions, key, old?.version ?? null, () =>
        next === null
          ? directions.remove(key)
          : directions.put(key, Buffer.from(JSON.stringify(next)), freshVersion()),
      );
      if (replaced) return old === undefined ? null : parseEntry(old.value);
    }
  }

  /** Makes the names of the files in the folder durable, not only their bytes. */
  async function syncFolder(): Promise<void> {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Opens the file of the vector. Before it is open, another file with the same digest may replace it; then opens that one. */
  async function openVector(
    name: string,
    digest: string,
  ): Promise<{ info: DirectionInfo; file: FileHandle }> {
    for (let missing: string | null = null; ; ) {
      const entry = readEntry(name);
      if (entry?.info.digest !== digest) throw directionNotFound(name);
      if (entry.file === missing) throw corrupt(`the file of direction "${name}" is missing`);
      try {
        return { info: entry.info, file: await open(pathOf(entry.file), "r") };
      } catch (error) {
        if (!isMissing(error)) throw error;
        missing = entry.file;
      }
    }
  }

  async function write(
    facts: DirectionFacts | (() => DirectionFacts),
    vector: AsyncIterable<Uint8Array>,
  ): Promise<DirectionInfo> {
    const file = `${randomBytes(16).toString("hex")}.f32`;
    let info: DirectionInfo;
    let old: DirectionEntry | null;
    try {
      const written = await writeVector(pathOf(file), vector);
      await syncFolder();
      info = { ...factsOf(facts), ...written, createdAtMs: Date.now() };
      old = await replace(info.name, { info, file });
    } catch (error) {
      // The entry may still be written later and then names the file, so keep it. `sweep` removes it if it stays unused.
      if (!isUndecided(error)) await rm(pathOf(file), { force: true });
      throw error;
    }
    if (old !== null) await rm(pathOf(old.file), { force: true });
    return info;
  }

  async function* readVector(name: string, digest: string): AsyncGenerator<Buffer> {
    const { info, file } = await openVector(name, digest);
    try {
      yield* checked(info, fileChunks(file));
    } finally {
      await file.close();
    }
  }

  function list(cursor: string | null, limit: number): Page<DirectionInfo> {
    refresh();
    // The smallest key after a name is the name followed by a zero byte.
    const start = cursor === null ? {} : { start: Buffer.from(`${nameOfCursor(cursor)}\0`) };
    const found = [...directions.getRange({ limit: limit + 1, ...start })];
    return pageByName(
      found.map(({ value }) => parseEntry(value).info),
      limit,
    );
  }

  return {
    writeDirection: (facts, vector) => run(() => write(facts, vector)),
    readDirection: (name) => run(() => readEntry(name)?.info ?? null),
    readDirectionVector: (name, digest) => runEach(readVector(name, digest)),
    listDirections: (cursor, limit) => run(() => list(cursor, limit)),

    deleteDirection: (name) =>
      run(async () => {
        const old = await replace(name, null);
        if (old !== null) await rm(pathOf(old.file), { force: true });
        return old !== null;
      }),

    async sweep() {
      refresh();
      const named = new Set([...directions.getRange()].map(({ value }) => parseEntry(value).file));
      for (const file of await readdir(folder)) {
        if (named.has(file) || !(await isAbandoned(pathOf(file)))) continue;
        await rm(pathOf(file), { force: true });
      }
    },
  };
}

/** Writes a new file. Resolves when the bytes are on disk. */
async function writeVector(path: string, vector: AsyncIterable<Uint8Array>): Promise<VectorFacts> {
  let facts: VectorFacts = { digest: "", bytes: 0 };
  const handle = await open(path, "wx");
  try {
    const chunks = inChunks(vector, (found) => {
      facts = found;
    });
    for await (const chunk of chunks) await handle.writeFile(chunk);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return facts;
}

async function* fileChunks(file: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk = Buffer.allocUnsafeSlow(VECTOR_CHUNK_BYTES);
    const { bytesRead } = await file.read(chunk);
    if (bytesRead === 0) return;
    yield chunk.subarray(0, bytesRead);
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    return Date.now() - (await stat(path)).mtimeMs > ABANDONED_MS;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function parseEntry(bytes: Buffer): DirectionEntry {
  const { info, file } = parseObject(bytes.toString(), "the entry of a direction");
  if (typeof file !== "string") throw corrupt("the entry of a direction is incomplete");
  return { info: directionInfo(info), file };
}
