import { LAYOUT_VERSION } from "../codec/stored.js";
import { CHUNK_ENTRIES } from "../weight-columns.js";
import { defineScript } from "./connection.js";
import { EMBEDDINGS } from "./embedding-functions.js";
import { HISTORIES } from "./history-scripts.js";
import { KEPT_IDS, unlessOtherIds } from "./kept-ids.js";
import { bytes, ignored, number, orNull } from "./reply.js";
import { foundBuckets, foundDataset, foundSamples, writtenOrDiffering } from "./script-replies.js";

// Each script is one atomic step. KEYS[1] is the hash of a dataset. The keys of its buckets are derived from it and share its
// hash tag, so that all keys of a dataset are in one slot. If a script refuses, it does so before it writes anything.

/** Functions that read and make the head of a stored sample (for the layout see `codec/stored.ts`), and count samples. */
export const LAYOUT = `
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

-- Number and shape of a stored sample.
local function numbersOf(stored)
  if stored:byte(1) ~= ${LAYOUT_VERSION * 16} then error("CORRUPT a sample has an unknown layout", 0) end
  local number, at = readVarint(stored, 2)
  return number, (readVarint(stored, at))
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
`;

/** Functions that read the kept snapshots. */
export const SNAPSHOTS = `
-- Flat lists: version and JSON of each kept snapshot, and version and sum of the weights of its deleted samples. Version 1a1e855
-- kept one snapshot, in the dataset's own hash.
local function snapshotsOf(meta, base)
  local kept = redis.call("HGETALL", base .. "snapshots")
  local first = #kept == 0 and redis.call("HGET", meta, "snapshot")
  if first then kept = { redis.call("HGET", meta, "snapshot_version"), first } end
  return { kept, redis.call("HGETALL", base .. "removed") }
end
`;

/**
 * Writes samples with their histories, or nothing if something is not stored as the writer expects. ARGV: an incarnation that is
 * used if the dataset is new; 1 if the writer expects something of the stored samples, else 0; the state of the checkpoints that
 * it expects (empty for any); name, and number and step, of a checkpoint to keep (empty for none); the number of values for each
 * sample; the state of the shapes that it expects if it adds shapes; what it expects of the ids (`SentIds.expected`); then for each shape its text and the number of its samples, and for each sample bucket, id, expected value (empty for
 * none), body and, if there are six values, expected history and history (empty for none). Answers the dataset's incarnation if it
 * wrote, else also the number of shapes, two packed lists of the samples that differ and of their histories, in the order of the
 * arguments (empty for none), and the checkpoints.
 */
export const WRITE_SAMPLES = defineScript(
  unlessOtherIds(writtenOrDiffering),
  `${LAYOUT}${HISTORIES}${EMBEDDINGS}${KEPT_IDS}
local meta = KEYS[1]
if hasOtherIds(meta, ARGV[8]) then return -1 end
local incarnation = redis.call("HGET", meta, "incarnation") or ARGV[1]
local base = meta .. ":" .. incarnation .. ":"
local shapes, checkpoints = base .. "shapes", base .. "checkpoints"
local shapeCount = redis.call("HLEN", shapes)
local numbers = tonumber(redis.call("HGET", meta, "numbers") or 0)
local values = tonumber(ARGV[6])
local newShapes, puts, added, changes = {}, {}, 0, {}
local differing, differingHistories = {}, {}
local embeddings, otherTexts = embeddingsOf(meta), {}
local differ = ARGV[3] ~= "" and ARGV[3] ~= checkpointsState(base, incarnation)
local at = 9
while at <= #ARGV do
  local text = ARGV[at]
  local shapeNumber = tonumber(redis.call("HGET", shapes, text) or shapeCount + #newShapes)
  if shapeNumber == shapeCount + #newShapes then newShapes[#newShapes + 1] = text end
  local shape = varint(shapeNumber)
  local first = at + 2
  at = first + values * ARGV[at + 1]
  for entry = first, at - 1, values do
    local key, id = base .. ARGV[entry], ARGV[entry + 1]
    local old = redis.call("HGET", key, id)
    local isExpected = ARGV[2] == "0" or (old or "") == ARGV[entry + 2]
    local number
    if old then
      local oldShape
      number, oldShape = numbersOf(old)
      count(changes, oldShape, -1)
    else
      number = numbers + added
      added = added + 1
    end
    local oldHistory = values == 6 and old and historyAt(base, number) or ""
    if values == 6 then isExpected = isExpected and oldHistory == ARGV[entry + 4] end
    differ = differ or not isExpected
    differing[#differing + 1] = not isExpected and (old or "")
    differingHistories[#differingHistories + 1] = not isExpected and oldHistory
    count(changes, shapeNumber, 1)
    local head = string.char(${LAYOUT_VERSION * 16}) .. varint(number) .. shape
    local history = values == 6 and ARGV[entry + 5] or ""
    if embeddings and old and textDigestOf(old) ~= textDigestOf(head .. ARGV[entry + 3]) then otherTexts[#otherTexts + 1] = number end
    puts[#puts + 1] = { key, id, head .. ARGV[entry + 3], not old and ARGV[entry], number, history ~= oldHistory and history }
  end
end
local shapesState = shapeCount > 0 and incarnation .. ":" .. shapeCount or ""
if #newShapes > 0 and ARGV[7] ~= shapesState then differ = true end
if differ then
  local known = redis.call("HGETALL", checkpoints)
  return { incarnation, shapeCount, cmsgpack.pack(differing), cmsgpack.pack(differingHistories), known }
end
-- The commands that a user of Redis may not be allowed to run come first: a script that is refused later has already written.
redis.call("HSETNX", meta, "created_at_ms", nowMs())
touch(meta, base, changes)
redis.call("HSET", meta, "incarnation", incarnation, "numbers", numbers + added)
redis.call("HINCRBY", meta, "samples", added)
if ARGV[4] ~= "" then redis.call("HSET", checkpoints, ARGV[4], ARGV[5]) end
for index, text in ipairs(newShapes) do redis.call("HSET", shapes, text, shapeCount + index - 1) end
for _, put in ipairs(puts) do
  redis.call("HSET", put[1], put[2], put[3])
  if put[4] then redis.call("SETBIT", base .. "used", put[4], 1) end
  if put[6] then putHistory(base, put[5], put[6]) end
end
for _, number in ipairs(otherTexts) do dropEmbedding(base, embeddings, number) end
if #otherTexts > 0 then saveEmbeddings(meta, embeddings) end
return { incarnation }
`,
);

/**
 * ARGV: what is expected of the ids; bucket and id of each sample. Answers incarnation, number of shapes, the kept snapshots and the
 * stored samples as a packed list.
 */
export const READ_SAMPLES = defineScript(
  unlessOtherIds(orNull(foundSamples)),
  `${SNAPSHOTS}${KEPT_IDS}
local meta = KEYS[1]
local incarnation = redis.call("HGET", meta, "incarnation")
if not incarnation then return false end
if hasOtherIds(meta, ARGV[1]) then return -1 end
local base = meta .. ":" .. incarnation .. ":"
local stored = {}
for index = 2, #ARGV, 2 do
  stored[index / 2] = redis.call("HGET", base .. ARGV[index], ARGV[index + 1])
end
return { incarnation, redis.call("HLEN", base .. "shapes"), snapshotsOf(meta, base), cmsgpack.pack(stored) }
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

/**
 * ARGV: bucket, id, what is expected of the ids. Removes the sample, its history, its embedding and its weight in each snapshot, and
 * sets the bit that keeps its weight out of snapshots that are being written. Answers 1 if there was such a sample, or else 0.
 */
export const DELETE_SAMPLE = defineScript(
  unlessOtherIds(number),
  `${LAYOUT}${HISTORIES}${EMBEDDINGS}${KEPT_IDS}
local meta = KEYS[1]
local incarnation = redis.call("HGET", meta, "incarnation")
if not incarnation then return 0 end
if hasOtherIds(meta, ARGV[3]) then return -1 end
local base = meta .. ":" .. incarnation .. ":"
local old = redis.call("HGET", base .. ARGV[1], ARGV[2])
if not old then return 0 end
local number, shape = numbersOf(old)
redis.call("HDEL", base .. ARGV[1], ARGV[2])
putHistory(base, number, "")
local embeddings = embeddingsOf(meta)
if embeddings then
  dropEmbedding(base, embeddings, number)
  saveEmbeddings(meta, embeddings)
end
redis.call("HINCRBY", meta, "samples", -1)
redis.call("HINCRBY", meta, "deletions", 1)
redis.call("SETBIT", base .. "deleted", number, 1)
touch(meta, base, { [shape] = -1 })
if redis.call("EXISTS", base .. ARGV[1]) == 0 then redis.call("SETBIT", base .. "used", ARGV[1], 0) end
local snapshots = redis.call("HGETALL", base .. "snapshots")
for index = 1, #snapshots, 2 do
  local snapshot = cjson.decode(snapshots[index + 1])
  local column = snapshot.column
  if number < column.length then
    local chunk = base .. "w:" .. column.id .. ":" .. math.floor(number / ${CHUNK_ENTRIES})
    local at = 4 * (number % ${CHUNK_ENTRIES})
    local bytes = redis.call("GETRANGE", chunk, at, at + 3)
    local weight = #bytes == 4 and struct.unpack("<f", bytes)
    if weight and weight == weight then
      redis.call("SETRANGE", chunk, at, "\\0\\0\\192\\127")
      local removed = string.format("%.17g", weight * snapshot.weightScale)
      redis.call("HINCRBYFLOAT", base .. "removed", snapshots[index], removed)
    end
  end
end
return 1
`,
);

/**
 * Answers the fields of the dataset, its shapes with their numbers, the number of samples of each shape (false if they were not
 * counted), and the kept snapshots, all as flat lists.
 */
export const READ_DATASET = defineScript(
  orNull(foundDataset),
  `${LAYOUT}${SNAPSHOTS}
local meta = KEYS[1]
local incarnation = redis.call("HGET", meta, "incarnation")
if not incarnation then return false end
local base = meta .. ":" .. incarnation .. ":"
return {
  redis.call("HGETALL", meta),
  redis.call("HGETALL", base .. "shapes"),
  isCounted(meta) and redis.call("HGETALL", base .. "counts"),
  snapshotsOf(meta, base),
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
