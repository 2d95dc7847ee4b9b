import { ORIGIN_BYTES } from "../codec/embedding.js";
import { defineScript } from "./connection.js";
import { EMBEDDINGS } from "./embedding-functions.js";
import { KEPT_IDS, unlessOtherIds } from "./kept-ids.js";
import { bytes, list, number, orNull, pairsOf, type Reply } from "./reply.js";
import { LAYOUT } from "./scripts.js";

/**
 * Sets what the dataset KEYS[1] keeps. ARGV: an incarnation that is used if the dataset is new; 1 to set the embeddings, else 0;
 * a life that is used if they begin another; their type (empty for none); the most bytes that they may take; what the
 * dataset is to do with ids (`SentIds.expected`; empty: as it is). Answers the dataset's incarnation, and the life of its embeddings
 * (false for none); or that its samples have ids in another form.
 */
export const WRITE_SETTINGS = defineScript(
  unlessOtherIds((answer): { incarnation: string; life: string | null } => {
    const [incarnation, life] = list(answer);
    return {
      incarnation: bytes(incarnation).toString(),
      life: orNull(bytes)(life ?? null)?.toString() ?? null,
    };
  }),
  `${LAYOUT}${EMBEDDINGS}${KEPT_IDS}
local meta = KEYS[1]
if hasOtherIds(meta, ARGV[6]) and tonumber(redis.call("HGET", meta, "samples") or 0) > 0 then return -1 end
local incarnation = redis.call("HGET", meta, "incarnation") or ARGV[1]
local base = meta .. ":" .. incarnation .. ":"
local state = embeddingsOf(meta)
redis.call("HSETNX", meta, "created_at_ms", nowMs())
touch(meta, base, {})
redis.call("HSET", meta, "incarnation", incarnation)
redis.call("HSETNX", meta, "numbers", 0)
redis.call("HSETNX", meta, "samples", 0)
if ARGV[6] ~= "" then redis.call("HSET", meta, "hashed_ids", ARGV[6]) end
if ARGV[2] == "1" then
  if ARGV[4] == "" then
    state = nil
    redis.call("HDEL", meta, "embeddings")
  else
    if not state or state.type ~= ARGV[4] then
      redis.call("HSET", base .. "embedding_lives", ARGV[3], 1)
      state = { life = ARGV[3], type = ARGV[4], origins = {} }
    end
    state.bytesMax = tonumber(ARGV[5])
    saveEmbeddings(meta, state)
  end
end
return { incarnation, state and state.life }
`,
);

/** Answers whether there is the dataset, what it knows of its embeddings as JSON (false for none), and 1 if it hashes its ids. */
export const READ_SETTINGS = defineScript(
  orNull((answer): { embeddings: string | null; hashedIds: boolean } => {
    const [embeddings, hashedIds] = list(answer).map((each) => orNull(bytes)(each)?.toString() ?? null);
    return { embeddings: embeddings ?? null, hashedIds: hashedIds === "1" };
  }),
  `
if not redis.call("HGET", KEYS[1], "incarnation") then return false end
return redis.call("HMGET", KEYS[1], "embeddings", "hashed_ids")
`,
);

const written: Reply<{ kept: number; withoutRoom: number }> = (answer) => {
  const [kept, withoutRoom] = list(answer);
  return { kept: number(kept), withoutRoom: number(withoutRoom) };
};

/**
 * ARGV: life of the embeddings; model, place and size of the origin; what is expected of the ids; then bucket, id, digest of the text, and body of each
 * embedding. Answers how many it kept and for how many there was no room; false if the embeddings have another life.
 */
export const WRITE_EMBEDDINGS = defineScript(
  unlessOtherIds(orNull(written)),
  `${LAYOUT}${EMBEDDINGS}${KEPT_IDS}
local meta = KEYS[1]
local state = embeddingsOf(meta)
if not state or state.life ~= ARGV[1] then return false end
if hasOtherIds(meta, ARGV[5]) then return -1 end
local base = meta .. ":" .. redis.call("HGET", meta, "incarnation") .. ":"
local total, taken, origin = 0, {}, nil
for _, each in ipairs(state.origins) do
  total = total + each.bytes
  taken[each.number] = true
  if each.model == ARGV[2] and each.after == ARGV[3] and each.size == tonumber(ARGV[4]) then origin = each end
end
if not origin then
  local free = 0
  while taken[free] do free = free + 1 end
  origin = { number = free, model = ARGV[2], after = ARGV[3], size = tonumber(ARGV[4]), samples = 0, bytes = 0 }
end
local others = {}
for _, each in ipairs(state.origins) do
  if each ~= origin then others[#others + 1] = each end
end
state.origins = others
others[#others + 1] = origin
local kept, withoutRoom = 0, 0
for index = 6, #ARGV, 4 do
  local stored = redis.call("HGET", base .. ARGV[index], ARGV[index + 1])
  if stored and textDigestOf(stored) == ARGV[index + 2] then
    local number = numbersOf(stored)
    local old = embeddingAt(base, state, number)
    local value = struct.pack("<I${ORIGIN_BYTES}", origin.number) .. ARGV[index + 3]
    local grown = #value - (old and #old or 0)
    if total + grown > state.bytesMax then
      withoutRoom = withoutRoom + 1
    else
      total = total + grown
      dropEmbedding(base, state, number)
      putEmbedding(base, state, origin, number, value)
      kept = kept + 1
    end
  end
end
if kept > 0 then saveEmbeddings(meta, state) end
return { kept, withoutRoom }
`,
);

/** Some embeddings: hash and field of each place, and the stored embedding. */
const placed: Reply<[Buffer, Buffer][]> = pairsOf(bytes, bytes);

/** ARGV: life, hashes. Answers for each hash a flat list of fields and embeddings; false if the embeddings have another life. */
export const READ_EMBEDDINGS = defineScript(
  orNull((answer) => list(answer).map(placed)),
  `${EMBEDDINGS}
local state = embeddingsOf(KEYS[1])
if not state or state.life ~= ARGV[1] then return false end
local base = KEYS[1] .. ":" .. redis.call("HGET", KEYS[1], "incarnation") .. ":"
local found = {}
for index = 2, #ARGV do
  found[index - 1] = redis.call("HGETALL", base .. "e:" .. state.life .. ":" .. ARGV[index])
end
return found
`,
);
