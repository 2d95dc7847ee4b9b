import { LATER_MAX, LAYOUT_VERSION, WEIGHTS_MAX } from "../codec/stored.js";
import { defineScript } from "./connection.js";
import { bytes, ignored, number, orNull } from "./reply.js";
import { foundBuckets, foundDataset, foundSamples, takenVersion } from "./script-replies.js";

// Each script is one atomic step. KEYS[1] is the hash of a dataset. The keys of its buckets are derived from it and share its
// hash tag, so that all keys of a dataset are in one slot. If a script refuses, it does so before it writes anything.

/** Functions that read and make the head of a stored sample (for the layout see `codec/stored.ts`), and count samples. */
const LAYOUT = `
local function readVarint(text, at)
  local value, scale = 0, 1
  while true do
    local byte = text:byte(at)
    at = at + 1
    value = value + (byte % 128) * scale
    if byte < 128 then return value, at end
    scale = scale * 128
  end
end

local function varint(value)
  local text = ""
  while value >= 128 do
    text = text .. string.char(value % 128 + 128)
    value = math.floor(value / 128)
  end
  return text .. string.char(value)
end

-- The weights of a stored sample that may still count, each as its stored bytes, and the place where its shape begins.
local function weightsSince(stored, published, except)
  local head = stored:byte(1)
  if math.floor(head / 16) ~= ${LAYOUT_VERSION} then error("CORRUPT a sample has an unknown layout", 0) end
  local weights, at = {}, 2
  local oldestPending
  for _ = 1, head % 16 do
    local version, value = readVarint(stored, at)
    if version >= published and version ~= except then
      weights[#weights + 1] = stored:sub(at, value + 3)
      if version > published and not oldestPending then oldestPending = #weights end
    end
    at = value + 4
  end
  if except and #weights == ${WEIGHTS_MAX} then table.remove(weights, oldestPending) end
  return weights, at
end

local function withHead(weights, rest)
  return string.char(${LAYOUT_VERSION * 16} + #weights) .. table.concat(weights) .. rest
end

local function nowMs()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whether the counts belong to the present samples. Version 1a1e855 knows no counts: it changes the time only.
local function isCounted(meta)
  return redis.call("HGET", meta, "counted_at_ms") == redis.call("HGET", meta, "updated_at_ms")
end

-- Sets the time. If the counts belong to the present samples, adds the changes (by shape) to them.
local function touch(meta, base, changes)
  local now = nowMs()
  if isCounted(meta) then
    for shape, change in pairs(changes) do redis.call("HINCRBY", base .. "counts", shape, change) end
    redis.call("HSET", meta, "counted_at_ms", now)
  end
  redis.call("HSET", meta, "updated_at_ms", now)
end

local function count(changes, shape, change) changes[shape] = (changes[shape] or 0) + change end

-- Whether so many snapshots began after this one that they may have removed its weights.
local function isOvertaken(meta, version)
  return redis.call("HGET", meta, "snapshot_version_taken") - version >= ${LATER_MAX}
end
`;

/**
 * Writes samples. ARGV: an incarnation that is used if the dataset is new; then for each shape its text and the number of its
 * samples, and for each sample bucket, id and body. Answers the dataset's incarnation.
 */
export const WRITE_SAMPLES = defineScript(
  bytes,
  `${LAYOUT}
local meta = KEYS[1]
local incarnation = redis.call("HGET", meta, "incarnation") or ARGV[1]
local published = tonumber(redis.call("HGET", meta, "snapshot_version") or 0)
local base = meta .. ":" .. incarnation .. ":"
local shapes = base .. "shapes"
local shapeCount = redis.call("HLEN", shapes)
local newShapes, puts, added, changes = {}, {}, 0, {}
local at = 2
while at <= #ARGV do
  local text = ARGV[at]
  local number = tonumber(redis.call("HGET", shapes, text) or shapeCount + #newShapes)
  if number == shapeCount + #newShapes then newShapes[#newShapes + 1] = text end
  local shape = varint(number)
  local first = at + 2
  at = first + 3 * ARGV[at + 1]
  for entry = first, at - 1, 3 do
    local key, id = base .. ARGV[entry], ARGV[entry + 1]
    local old = redis.call("HGET", key, id)
    local weights, rest = {}, nil
    if old then
      weights, rest = weightsSince(old, published)
      count(changes, readVarint(old, rest), -1)
    else
      added = added + 1
    end
    count(changes, number, 1)
    puts[#puts + 1] = { key, id, withHead(weights, shape .. ARGV[entry + 2]), not old and ARGV[entry] }
  end
end
-- The commands that a user of Redis may not be allowed to run come first: a script that is refused later has already written.
redis.call("HSETNX", meta, "created_at_ms", nowMs())
touch(meta, base, changes)
redis.call("HSET", meta, "incarnation", incarnation)
redis.call("HINCRBY", meta, "samples", added)
for index, text in ipairs(newShapes) do redis.call("HSET", shapes, text, shapeCount + index - 1) end
for _, put in ipairs(puts) do
  redis.call("HSET", put[1], put[2], put[3])
  if put[4] then redis.call("SETBIT", base .. "used", put[4], 1) end
end
return incarnation
`,
);

/**
 * ARGV: bucket and id of each sample. Answers incarnation, number of shapes, newest snapshot (JSON) and the stored samples
 * as a packed list.
 */
export const READ_SAMPLES = defineScript(
  orNull(foundSamples),
  `
local meta = KEYS[1]
local incarnation = redis.call("HGET", meta, "incarnation")
if not incarnation then return false end
local base = meta .. ":" .. incarnation .. ":"
local stored = {}
for index = 1, #ARGV, 2 do
  stored[(index + 1) / 2] = redis.call("HGET", base .. ARGV[index], ARGV[index + 1])
end
return { incarnation, redis.call("HLEN", base .. "shapes"), redis.call("HGET", meta, "snapshot"), cmsgpack.pack(stored) }
`,
);

/** ARGV: incarnation, buckets. Answers the number of shapes, then alternately ids and stored samples. */
export const READ_BUCKETS = defineScript(
  foundBuckets,
  `
local base = KEYS[1] .. ":" .. ARGV[1] .. ":"
local found = { redis.call("HLEN", base .. "shapes") }
for index = 2, #ARGV do
  for _, part in ipairs(redis.call("HGETALL", base .. ARGV[index])) do found[#found + 1] = part end
end
return found
`,
);

/** ARGV: bucket, id. Answers 1 if there was such a sample, or else 0. */
export const DELETE_SAMPLE = defineScript(
  number,
  `${LAYOUT}
local meta = KEYS[1]
local incarnation = redis.call("HGET", meta, "incarnation")
if not incarnation then return 0 end
local base = meta .. ":" .. incarnation .. ":"
local old = redis.call("HGET", base .. ARGV[1], ARGV[2])
if not old then return 0 end
local _, rest = weightsSince(old, 0)
local shape = readVarint(old, rest)
redis.call("HDEL", base .. ARGV[1], ARGV[2])
redis.call("HINCRBY", meta, "samples", -1)
touch(meta, base, { [shape] = -1 })
if redis.call("EXISTS", base .. ARGV[1]) == 0 then redis.call("SETBIT", base .. "used", ARGV[1], 0) end
return 1
`,
);

/**
 * Answers the fields of the dataset, its shapes with their numbers, and the number of samples of each shape, all as flat lists.
 * The last is false if the samples were not counted.
 */
export const READ_DATASET = defineScript(
  orNull(foundDataset),
  `${LAYOUT}
local meta = KEYS[1]
local incarnation = redis.call("HGET", meta, "incarnation")
if not incarnation then return false end
local base = meta .. ":" .. incarnation .. ":"
return {
  redis.call("HGETALL", meta),
  redis.call("HGETALL", base .. "shapes"),
  isCounted(meta) and redis.call("HGETALL", base .. "counts"),
}
`,
);

/**
 * ARGV: incarnation, time of the dataset; then each shape and the number of its samples. Keeps them if that time is unchanged.
 */
export const WRITE_COUNTS = defineScript(
  ignored,
  `
local meta = KEYS[1]
if redis.call("HGET", meta, "incarnation") ~= ARGV[1] then return 0 end
if redis.call("HGET", meta, "updated_at_ms") ~= ARGV[2] then return 0 end
local counts = meta .. ":" .. ARGV[1] .. ":counts"
redis.call("DEL", counts)
for index = 3, #ARGV, 2 do redis.call("HSET", counts, ARGV[index], ARGV[index + 1]) end
redis.call("HSET", meta, "counted_at_ms", ARGV[2])
return 1
`,
);

/** Removes the dataset's own hash. Its buckets are removed afterwards. Answers its incarnation. */
export const DELETE_DATASET = defineScript(
  orNull(bytes),
  `
local incarnation = redis.call("HGET", KEYS[1], "incarnation")
redis.call("DEL", KEYS[1])
return incarnation
`,
);

/** Answers the incarnation and the next snapshot version. */
export const TAKE_SNAPSHOT_VERSION = defineScript(
  orNull(takenVersion),
  `
local incarnation = redis.call("HGET", KEYS[1], "incarnation")
if not incarnation then return false end
return { incarnation, redis.call("HINCRBY", KEYS[1], "snapshot_version_taken", 1) }
`,
);

/**
 * ARGV: incarnation, snapshot version; then bucket, id and weight (float32) of each sample. Answers how many exist; -1 if
 * overtaken.
 */
export const WRITE_WEIGHTS = defineScript(
  orNull(number),
  `${LAYOUT}
local meta = KEYS[1]
if redis.call("HGET", meta, "incarnation") ~= ARGV[1] then return false end
local version = tonumber(ARGV[2])
if isOvertaken(meta, version) then return -1 end
local published = tonumber(redis.call("HGET", meta, "snapshot_version") or 0)
local base = meta .. ":" .. ARGV[1] .. ":"
local puts = {}
for index = 3, #ARGV, 3 do
  local key, id = base .. ARGV[index], ARGV[index + 1]
  local old = redis.call("HGET", key, id)
  if old then
    local weights, rest = weightsSince(old, published, version)
    weights[#weights + 1] = varint(version) .. ARGV[index + 2]
    puts[#puts + 1] = { key, id, withHead(weights, old:sub(rest)) }
  end
end
for _, put in ipairs(puts) do redis.call("HSET", put[1], put[2], put[3]) end
return #puts
`,
);

/**
 * ARGV: incarnation, snapshot version, the snapshot as JSON. A version older than the newest is dropped. Answers -1 if overtaken.
 */
export const PUBLISH_SNAPSHOT = defineScript(
  orNull(number),
  `${LAYOUT}
local meta = KEYS[1]
if redis.call("HGET", meta, "incarnation") ~= ARGV[1] then return false end
if isOvertaken(meta, ARGV[2]) then return -1 end
if tonumber(ARGV[2]) > tonumber(redis.call("HGET", meta, "snapshot_version") or 0) then
  redis.call("HSET", meta, "snapshot_version", ARGV[2], "snapshot", ARGV[3])
  touch(meta, meta .. ":" .. ARGV[1] .. ":", {})
end
return 1
`,
);
