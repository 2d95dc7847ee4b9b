import { decodeOutputs, encodeOutputs } from "../codec/outputs.js";
import type { Lifetime } from "../lifetime.js";
import type { OutputsLimits } from "../options.js";
import type { OutputsKey, OutputsStore } from "../port.js";
import { type Argument, type Connection, defineScript } from "./connection.js";
import { outputsKey, usedBuckets } from "./keys.js";
import { bytes, listOf, number, orNull } from "./reply.js";
import { unlinkAll } from "./unlink.js";

// KEYS[1] is the clock: the generation that is being filled, its start, and an estimate of its bytes.
const CLOCK = `
local clock = KEYS[1]
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[1])
local state = redis.call("HMGET", clock, "generation", "started_at_ms", "bytes")
local generation, started, bytes = tonumber(state[1]), tonumber(state[2]), tonumber(state[3])
`;

/** ARGV: time to live; then bucket and key of each record. */
const READ = defineScript(
  listOf(orNull(bytes)),
  `${CLOCK}
local found = {}
local current = generation and now <= started + 2 * ttl and clock .. ":" .. generation .. ":"
local previous = current and now <= started + ttl and clock .. ":" .. generation - 1 .. ":"
for index = 2, #ARGV, 2 do
  local value = current and redis.call("HGET", current .. ARGV[index], ARGV[index + 1])
  if not value and previous then value = redis.call("HGET", previous .. ARGV[index], ARGV[index + 1]) end
  found[#found + 1] = value or false
end
return found
`,
);

/**
 * ARGV: time to live, most bytes; then bucket, key and value of each record. If the clock has advanced, answers the generation
 * that is no longer read. The bytes are an estimate: those of an entry of a listpack, or of a hash table if a value has more than
 * 64 bytes (the default of hash-max-listpack-value), and Redis's overhead for a key.
 */
const WRITE = defineScript(
  orNull(number),
  `${CLOCK}
local dropped = false
if not generation then
  generation, started, bytes = 0, now, 0
elseif now > started + ttl or bytes > ARGV[2] / 2 then
  generation, started, bytes = generation + 1, now, 0
  dropped = generation - 2
end
local base = clock .. ":" .. generation .. ":"
local expiry = started + 2 * ttl
for index = 3, #ARGV, 3 do
  local key = base .. ARGV[index]
  local value = ARGV[index + 2]
  local before = redis.call("HSTRLEN", key, ARGV[index + 1])
  bytes = bytes + #value - before
  if redis.call("HSET", key, ARGV[index + 1], value) == 1 then
    bytes = bytes + #ARGV[index + 1] + (#value > 64 and 72 or 8)
    if redis.call("HLEN", key) == 1 then
      bytes = bytes + 160
      redis.call("PEXPIREAT", key, expiry)
      redis.call("SETBIT", base .. "used", ARGV[index], 1)
    end
  end
end
redis.call("PEXPIREAT", base .. "used", expiry)
redis.call("HSET", clock, "generation", generation, "started_at_ms", started, "bytes", bytes)
return dropped
`,
);

/**
 * Outputs are in two generations of buckets: the one that is being filled, and the one before. Times are those of Redis's clock.
 * When the first is older than `outputsTtlMs` or has an estimated half of `outputsBytesMax`, a new one begins and the older one
 * is dropped. A record is therefore found for at least `outputsTtlMs` (unless space runs out) and never after twice that time.
 * Whole buckets expire, so a record needs no bytes for its expiry.
 */
export function openOutputs(
  connection: Connection,
  prefix: string,
  { run }: Lifetime,
  { outputsTtlMs, outputsBytesMax }: OutputsLimits,
): Omit<OutputsStore, "digestKey"> {
  const clock = outputsKey(prefix);

  async function drop(generation: number): Promise<void> {
    const base = `${clock}:${generation}:`;
    const buckets = await connection.send("GET", [`${base}used`], usedBuckets);
    if (buckets.length === 0) return;
    await unlinkAll(
      connection,
      [...buckets, "used"].map((part) => base + part),
    );
  }

  return {
    readOutputs: (keys) =>
      run(async () => {
        if (keys.length === 0) return [];
        const args: Argument[] = [outputsTtlMs];
        for (const key of keys) args.push(bucketOfKey(key), key);
        const found = await connection.run(READ, clock, args);
        return found.map((each) => each && decodeOutputs(each));
      }),

    writeOutputs: (entries) =>
      run(async () => {
        if (entries.length === 0) return;
        const args: Argument[] = [outputsTtlMs, outputsBytesMax];
        for (const { key, record } of entries) args.push(bucketOfKey(key), key, encodeOutputs(record));
        const dropped = await connection.run(WRITE, clock, args);
        if (dropped !== null) await drop(dropped);
      }),
  };
}

/** The bucket of a record. Its key is a digest, so any 16 bits of it serve as a hash. */
function bucketOfKey(key: OutputsKey): number {
  return key.readUInt16BE(0);
}
