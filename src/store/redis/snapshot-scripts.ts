import { LATER_CHUNK } from "../weight-columns.js";
import { defineScript } from "./connection.js";
import { bytes, list, number, orNull, type Reply } from "./reply.js";
import { keptSnapshots } from "./script-replies.js";
import { LAYOUT, SNAPSHOTS } from "./scripts.js";

// KEYS[1] is the hash of a dataset. A column is the keys `w:COLUMN:CHUNK` of its incarnation, and a field of the hash `columns`:
// its number of chunks, then the time at which it was begun, or `published`. The hash `snapshots` has the snapshots by version.

/** Begins a script that ends with `false` if the dataset does not have the incarnation ARGV[1]. */
const LIFE = `
local meta = KEYS[1]
if redis.call("HGET", meta, "incarnation") ~= ARGV[1] then return false end
local base = meta .. ":" .. ARGV[1] .. ":"
`;

/** ARGV: incarnation, number of chunks. Answers the number of the new column. */
export const BEGIN_COLUMN = defineScript(
  orNull(number),
  `${LAYOUT}${LIFE}
local column = redis.call("HINCRBY", meta, "columns", 1)
redis.call("HSET", base .. "columns", column, ARGV[2] .. " " .. nowMs())
return column
`,
);

/** ARGV: incarnation, column; then number and bytes of each chunk. */
export const WRITE_CHUNKS = defineScript(
  orNull(number),
  `${LIFE}
for index = 3, #ARGV, 2 do redis.call("SET", base .. "w:" .. ARGV[2] .. ":" .. ARGV[index], ARGV[index + 1]) end
return 1
`,
);

const numberOrBytes: Reply<number | Buffer> = (answer) =>
  typeof answer === "number" ? answer : bytes(answer);

const deleted: Reply<{ deletions: number; bits: Buffer }> = (answer) => {
  const [deletions, bits] = list(answer);
  return { deletions: Number(orNull(bytes)(deletions) ?? 0), bits: orNull(bytes)(bits) ?? Buffer.alloc(0) };
};

/** ARGV: incarnation. Answers the number of deletions and a bit for each deleted number. */
export const READ_DELETED = defineScript(
  orNull(deleted),
  `${LIFE}
return { redis.call("HGET", meta, "deletions"), redis.call("GET", base .. "deleted") }
`,
);

/**
 * ARGV: incarnation, expected number of deletions, column, the snapshot as JSON without its version, number of snapshots to keep,
 * time before which a column that was begun is abandoned; for a repeatable request also its key, its stored form without
 * the version, and the time to keep it. Answers the version; -1 if there were other deletions; the stored form of a request
 * that was done under the key.
 */
export const PUBLISH_SNAPSHOT = defineScript(
  orNull(numberOrBytes),
  `${LAYOUT}${LIFE}
local done = ARGV[7] and redis.call("GET", base .. "done:" .. ARGV[7])
if done then return done end
if (redis.call("HGET", meta, "deletions") or "0") ~= ARGV[2] then return -1 end
local columns, snapshots = base .. "columns", base .. "snapshots"
local function drop(column)
  local chunks = tonumber((redis.call("HGET", columns, column) or "0"):match("^%d+"))
  for chunk = 0, chunks - 1 do redis.call("UNLINK", base .. "w:" .. column .. ":" .. chunk) end
  redis.call("UNLINK", base .. "w:" .. column .. ":${LATER_CHUNK}")
  redis.call("HDEL", columns, column)
end
local version = tonumber(redis.call("HGET", meta, "snapshot_version") or 0) + 1
local kept = redis.call("HGETALL", snapshots)
local states = redis.call("HGETALL", columns)
touch(meta, base, {})
if ARGV[7] then redis.call("SET", base .. "done:" .. ARGV[7], version .. " " .. ARGV[8], "PX", ARGV[9]) end
redis.call("HSET", snapshots, version, ARGV[4])
redis.call("HSET", meta, "snapshot_version", version)
redis.call("HSET", columns, ARGV[3], (redis.call("HGET", columns, ARGV[3]):gsub(" .*", " published")))
for index = 1, #kept, 2 do
  if tonumber(kept[index]) <= version - ARGV[5] then
    drop(string.format("%d", cjson.decode(kept[index + 1]).column.id))
    redis.call("HDEL", snapshots, kept[index])
    redis.call("HDEL", base .. "removed", kept[index])
  end
end
for index = 1, #states, 2 do
  local begun = tonumber(states[index + 1]:match(" (%d+)$"))
  if begun and begun < tonumber(ARGV[6]) and states[index] ~= ARGV[3] then drop(states[index]) end
end
return version
`,
);

/** ARGV: the key of a repeatable request. Answers the stored form of the request that was done under it. */
export const READ_DONE = defineScript(
  orNull(bytes),
  `
local incarnation = redis.call("HGET", KEYS[1], "incarnation")
return incarnation and redis.call("GET", KEYS[1] .. ":" .. incarnation .. ":done:" .. ARGV[1])
`,
);

/** ARGV: version. Answers what the snapshot's column has of later samples. */
export const READ_LATER = defineScript(
  orNull(bytes),
  `
local incarnation = redis.call("HGET", KEYS[1], "incarnation")
local base = incarnation and KEYS[1] .. ":" .. incarnation .. ":"
local snapshot = base and redis.call("HGET", base .. "snapshots", ARGV[1])
if not snapshot then return false end
return redis.call("GET", base .. "w:" .. string.format("%d", cjson.decode(snapshot).column.id) .. ":${LATER_CHUNK}")
`,
);

/** Answers the kept snapshots. */
export const READ_SNAPSHOTS = defineScript(
  orNull(keptSnapshots),
  `${SNAPSHOTS}
local meta = KEYS[1]
local incarnation = redis.call("HGET", meta, "incarnation")
if not incarnation then return false end
return snapshotsOf(meta, meta .. ":" .. incarnation .. ":")
`,
);
