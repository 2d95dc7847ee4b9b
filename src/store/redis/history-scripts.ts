/** Consecutive numbers whose histories are in one hash. With two fields for each it stays a listpack, which has at most 128 fields. */
const NUMBERS_PER_HASH = 64;
/** Most bytes of a field. A listpack takes values of up to 64 bytes, and stores those of up to 63 with a byte less. */
const PIECE_BYTES = 63;

/** Name of the hash of histories with this number. */
export function historiesPart(hash: number): string {
  return `h:${hash}`;
}

/**
 * Functions for the histories of samples. `checkpoints` is a hash of name → number and step. A history is in the hash
 * `h:HASH` under the rest of its sample's number; `histories` has a bit for each of these hashes. A history of more than 63 bytes is
 * in two fields, because one large value would turn the whole hash into a table, which takes 77 bytes more for each sample. That
 * suffices for one logit, whose histories have at most 126 bytes. A history of several logits may be larger: it is in one field.
 */
export const HISTORIES = `
-- Equal states have equal checkpoints, because a life of a dataset only adds to them.
local function checkpointsState(base, incarnation)
  local count = redis.call("HLEN", base .. "checkpoints")
  return count == 0 and "0" or incarnation .. ":" .. count
end

local function historyPlace(base, number)
  local hash = math.floor(number / ${NUMBERS_PER_HASH})
  return base .. "h:" .. hash, number % ${NUMBERS_PER_HASH}, hash
end

local function historyAt(base, number)
  local key, field = historyPlace(base, number)
  local first = redis.call("HGET", key, field) or ""
  if #first ~= ${PIECE_BYTES} then return first end
  return first .. (redis.call("HGET", key, field + ${NUMBERS_PER_HASH}) or "")
end

-- An empty text removes the history.
local function putHistory(base, number, history)
  local key, field, hash = historyPlace(base, number)
  local rest = ""
  if #history > ${PIECE_BYTES} and #history <= ${2 * PIECE_BYTES} then
    rest = history:sub(${PIECE_BYTES + 1})
    history = history:sub(1, ${PIECE_BYTES})
  end
  if rest == "" then
    redis.call("HDEL", key, field + ${NUMBERS_PER_HASH})
  else
    redis.call("HSET", key, field + ${NUMBERS_PER_HASH}, rest)
  end
  if history == "" then
    redis.call("HDEL", key, field)
  else
    redis.call("HSET", key, field, history)
    redis.call("SETBIT", base .. "histories", hash, 1)
  end
end
`;
