import { inTime } from "../in-time.js";
import type { StoreStatus } from "../port.js";
import { type Connection, defineScript, type Master } from "./connection.js";
import { describeDurability, readSettings } from "./durability.js";
import { notPermitted, unavailable } from "./faults.js";
import { probeKey } from "./keys.js";
import { bytes, listOf } from "./reply.js";

/** Time for the answer whether Redis is ready. It is short, because readiness probes do not wait long. */
const ANSWER_MS = 1500;

/** All commands on keys that the store and its scripts use. The start names those that the user may not run. */
export const KEY_COMMANDS = [
  "DEL",
  "EXISTS",
  "GET",
  "GETRANGE",
  "HDEL",
  "HGET",
  "HGETALL",
  "HINCRBY",
  "HINCRBYFLOAT",
  "HLEN",
  "HMGET",
  "HSET",
  "HSETNX",
  "HSTRLEN",
  "HVALS",
  "MGET",
  "PERSIST",
  "PEXPIRE",
  "PEXPIREAT",
  "SET",
  "SETBIT",
  "SETRANGE",
  "UNLINK",
  "ZADD",
  "ZRANGEBYLEX",
  "ZREM",
] as const;

/**
 * ARGV: commands. Answers those that the user may not run on KEYS[1]. If the user may run all, makes a write that changes
 * nothing. This fails whenever a real write would: on a replica, or if the memory is full.
 */
const PROBE = defineScript(
  listOf(bytes),
  `
local refused = {}
if redis.acl_check_cmd then
  for _, command in ipairs(ARGV) do
    if not redis.acl_check_cmd(command, KEYS[1]) then refused[#refused + 1] = command end
  end
end
if #refused == 0 then redis.call("SETRANGE", KEYS[1], 0, "") end
return refused
`,
);

/**
 * Says how durable an acknowledged write is, and throws while writes fail. All callers share one question to Redis, so that
 * requests for readiness cannot put load on Redis.
 */
export function openReadiness(
  connection: Connection,
  prefix: string,
  timeoutMs: number,
): () => Promise<StoreStatus> {
  const answerMs = Math.min(ANSWER_MS, timeoutMs);
  let asked: Promise<StoreStatus> | null = null;

  async function ask(): Promise<StoreStatus> {
    const masters = await connection.masters(probeKey(prefix));
    const durabilities = await Promise.all(masters.map(askOne));
    return { kind: "redis", durability: joined(durabilities) };
  }

  async function askOne({ link, key }: Master): Promise<string> {
    const [refused, settings] = await Promise.all([link.run(PROBE, key, KEY_COMMANDS), readSettings(link)]);
    if (refused.length > 0) throw notPermitted(refused.map(String), prefix);
    return describeDurability(settings);
  }

  return () => {
    asked ??= inTime(ask(), answerMs, () => unavailable(`Redis has not answered for ${answerMs} ms`)).finally(
      () => {
        asked = null;
      },
    );
    return asked;
  };
}

/** What the servers promise in one text: usually all have the same settings. */
function joined(durabilities: readonly string[]): string {
  const [first = "", ...others] = new Set(durabilities);
  return others.length === 0 ? first : `The servers differ: ${[first, ...others].join(" Another: ")}`;
}
