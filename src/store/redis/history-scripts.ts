/** Consecutive numbers whose histories are in one hash. It stays a listpack up to 128 fields. */
const NUMBERS_PER_HASH = 100;

/** Name of the hash of histories with this number. */
export function historiesPart(hash: number): string {
  return `h:${hash}`;
}

/**
 * Functions for the histories of samples. `checkpoints` is a hash of name → number and step. A history is in the hash
 * `h:HASH` under the rest of its sample's number; `histories` has a bit for each of these hashes.
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
  return redis.call("HGET", key, field) or ""
end

-- An empty text removes the history.
local function putHistory(base, number, history)
  local key, field, hash = historyPlace(base, number)
  if history == "" then
    redis.call("HDEL", key, field)
  else
    redis.call("HSET", key, field, history)
    redis.call("SETBIT", base .. "histories", hash, 1)
  end
end
`;
