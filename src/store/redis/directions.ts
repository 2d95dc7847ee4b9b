import { randomBytes } from "node:crypto";
import { AssayError } from "../../errors.js";
import { corrupt } from "../codec/bytes.js";
import { directionInfo } from "../codec/direction.js";
import { parseObject } from "../codec/json.js";
import { checked, factsOf, inChunks, type VectorFacts } from "../codec/vector.js";
import type { Page } from "../dataset-records.js";
import { directionNotFound, type Lifetime } from "../lifetime.js";
import { nameOfCursor, pageByName } from "../page.js";
import type { DirectionFacts, DirectionInfo, DirectionStore } from "../port.js";
import { type Connection, defineScript } from "./connection.js";
import { directionsKey } from "./keys.js";
import { bytes, ignored, listOf, number, orNull } from "./reply.js";
import { unlinkAll } from "./unlink.js";

/** Chunks of a vector expire after this time if no entry names them, so that a dead writer leaves nothing behind. */
const UNPUBLISHED_MS = 3_600_000;
/** The chunks of a replaced or deleted vector stay this long for its readers. */
const REPLACED_MS = 60_000;

interface DirectionEntry {
  readonly info: DirectionInfo;
  /** Random name of one write. It is part of the chunks' keys. */
  readonly incarnation: string;
  readonly chunks: number;
}

// KEYS[1] is the hash of all entries by name. The keys of the chunks are derived from it and share its hash tag.
const EXPIRE_OLD = `
local function expireOld(text, ms)
  if not text then return end
  local old = cjson.decode(text)
  for chunk = 0, old.chunks - 1 do
    redis.call("PEXPIRE", KEYS[1] .. ":" .. old.incarnation .. ":" .. chunk, ms)
  end
end
`;

/** ARGV: name, entry, its incarnation, number of its chunks, time for readers. Answers false if a chunk is gone. */
const PUBLISH = defineScript(
  orNull(number),
  `${EXPIRE_OLD}
local base = KEYS[1] .. ":" .. ARGV[3] .. ":"
for chunk = 0, ARGV[4] - 1 do
  if redis.call("EXISTS", base .. chunk) == 0 then return false end
end
for chunk = 0, ARGV[4] - 1 do redis.call("PERSIST", base .. chunk) end
expireOld(redis.call("HGET", KEYS[1], ARGV[1]), ARGV[5])
redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
return 1
`,
);

/** ARGV: name, time for readers. Answers 1 if there was such a direction, or else 0. */
const DELETE = defineScript(
  number,
  `${EXPIRE_OLD}
expireOld(redis.call("HGET", KEYS[1], ARGV[1]), ARGV[2])
return redis.call("HDEL", KEYS[1], ARGV[1])
`,
);

/**
 * The vector of a direction is kept in strings of half a megabyte. The entry that names them is published when all are written.
 * No clean-up is needed, because chunks expire unless they are published, and again once they are replaced.
 */
export function openDirections(
  connection: Connection,
  prefix: string,
  { run, runEach }: Lifetime,
): DirectionStore {
  const table = directionsKey(prefix);
  const chunkKey = (incarnation: string, chunk: number): string => `${table}:${incarnation}:${chunk}`;

  async function readEntry(name: string): Promise<DirectionEntry | null> {
    const text = await connection.send("HGET", [table, name], orNull(bytes));
    return text === null ? null : parseEntry(text);
  }

  async function* readChunks({ incarnation, chunks, info }: DirectionEntry): AsyncGenerator<Buffer> {
    for (let chunk = 0; chunk < chunks; chunk++) {
      const part = await connection.send("GET", [chunkKey(incarnation, chunk)], orNull(bytes));
      if (part !== null) {
        yield part;
        continue;
      }
      const now = await readEntry(info.name);
      if (now?.incarnation !== incarnation) throw directionNotFound(info.name);
      throw corrupt(
        `Redis has lost a part of direction "${info.name}": check its maxmemory-policy, then make the direction again`,
      );
    }
  }

  async function write(
    facts: DirectionFacts | (() => DirectionFacts),
    vector: AsyncIterable<Uint8Array>,
  ): Promise<DirectionInfo> {
    const incarnation = randomBytes(12).toString("base64url");
    let written: VectorFacts = { digest: "", bytes: 0 };
    let chunks = 0;
    try {
      const parts = inChunks(vector, (found) => {
        written = found;
      });
      for await (const part of parts) {
        await connection.send("SET", [chunkKey(incarnation, chunks), part, "PX", UNPUBLISHED_MS], ignored);
        chunks++;
      }
      const info: DirectionInfo = { ...factsOf(facts), ...written, createdAtMs: Date.now() };
      const entry = JSON.stringify({ info, incarnation, chunks } satisfies DirectionEntry);
      const args = [info.name, entry, incarnation, chunks, REPLACED_MS];
      if ((await connection.run(PUBLISH, table, args)) === null) throw lostMeanwhile(info.name);
      return info;
    } catch (error) {
      const keys = Array.from({ length: chunks }, (_, chunk) => chunkKey(incarnation, chunk));
      await unlinkAll(connection, keys).catch(() => undefined); // they expire by themselves
      throw error;
    }
  }

  async function* readVector(name: string, digest: string): AsyncGenerator<Buffer> {
    const entry = await readEntry(name);
    if (entry?.info.digest !== digest) throw directionNotFound(name);
    yield* checked(entry.info, readChunks(entry));
  }

  async function list(cursor: string | null, limit: number): Promise<Page<DirectionInfo>> {
    const texts = await connection.send("HVALS", [table], listOf(bytes));
    const after = cursor === null ? null : Buffer.from(nameOfCursor(cursor));
    const found = texts
      .map((text) => {
        const { info } = parseEntry(text);
        return { info, key: Buffer.from(info.name) };
      })
      .filter(({ key }) => after === null || Buffer.compare(key, after) > 0)
      .sort((a, b) => Buffer.compare(a.key, b.key))
      .map(({ info }) => info);
    return pageByName(found.slice(0, limit + 1), limit);
  }

  return {
    writeDirection: (facts, vector) => run(() => write(facts, vector)),
    readDirection: (name) => run(async () => (await readEntry(name))?.info ?? null),
    readDirectionVector: (name, digest) => runEach(readVector(name, digest)),
    listDirections: (cursor, limit) => run(() => list(cursor, limit)),
    deleteDirection: (name) =>
      run(async () => (await connection.run(DELETE, table, [name, REPLACED_MS])) === 1),
  };
}

function lostMeanwhile(name: string): AssayError {
  return new AssayError("store_unavailable", {
    detail: `Redis lost a part of direction "${name}" before it was complete, because of maxmemory or a restart: make it again`,
  });
}

function parseEntry(text: Buffer): DirectionEntry {
  const { info, incarnation, chunks } = parseObject(text.toString(), "the entry of a direction");
  if (typeof incarnation !== "string" || typeof chunks !== "number") {
    throw corrupt("the entry of a direction is incomplete");
  }
  return { info: directionInfo(info), incarnation, chunks };
}
