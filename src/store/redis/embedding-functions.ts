import { ORIGIN_BYTES } from "../codec/embedding.js";
import { TEXT_DIGEST_BYTES } from "../codec/sample.js";

/** Consecutive numbers whose embeddings are in one hash. */
export const EMBEDDINGS_PER_HASH = 100;

/**
 * Functions for the embeddings of samples; they need `LAYOUT`. The field `embeddings` of the dataset has their state as JSON (see
 * `codec/embeddings-state.ts`). An embedding is in the hash `e:LIFE:HASH` under the rest of its sample's number; `embeddings:LIFE`
 * has a bit for each of these hashes, and `embedding_lives` has the lives whose keys are not all removed.
 */
export const EMBEDDINGS = `
local function embeddingsOf(meta)
  local text = redis.call("HGET", meta, "embeddings")
  return text and cjson.decode(text)
end

-- Drops origins that no sample has, except the last.
local function saveEmbeddings(meta, state)
  local origins = {}
  for index, each in ipairs(state.origins) do
    if each.samples > 0 or index == #state.origins then origins[#origins + 1] = each end
  end
  state.origins = origins
  redis.call("HSET", meta, "embeddings", cjson.encode(state))
end

local function embeddingPlace(base, state, number)
  local hash = math.floor(number / ${EMBEDDINGS_PER_HASH})
  return base .. "e:" .. state.life .. ":" .. hash, number % ${EMBEDDINGS_PER_HASH}, hash
end

local function embeddingAt(base, state, number)
  local key, field = embeddingPlace(base, state, number)
  return redis.call("HGET", key, field)
end

local function putEmbedding(base, state, origin, number, value)
  local key, field, hash = embeddingPlace(base, state, number)
  redis.call("HSET", key, field, value)
  redis.call("SETBIT", base .. "embeddings:" .. state.life, hash, 1)
  origin.samples = origin.samples + 1
  origin.bytes = origin.bytes + #value
end

local function dropEmbedding(base, state, number)
  local old = embeddingAt(base, state, number)
  if not old then return end
  local key, field = embeddingPlace(base, state, number)
  redis.call("HDEL", key, field)
  local origin = struct.unpack("<I${ORIGIN_BYTES}", old)
  for _, each in ipairs(state.origins) do
    if each.number == origin then
      each.samples = each.samples - 1
      each.bytes = each.bytes - #old
    end
  end
end

-- The digest of the text of a stored sample; empty if it is unknown.
local function textDigestOf(stored)
  local _, at = readVarint(stored, 2)
  _, at = readVarint(stored, at)
  local flags = math.floor(stored:byte(at) / 16)
  if math.floor(flags / 4) % 2 == 0 then return "" end
  local from = at + 7 + (math.floor(flags / 2) % 2) * 16
  return stored:sub(from, from + ${TEXT_DIGEST_BYTES} - 1)
end
`;
