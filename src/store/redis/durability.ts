import type { Link } from "./connection.js";
import { bytes, pairsOf, type Reply } from "./reply.js";

/** Null if Redis does not allow reading its settings. Managed servers often forbid CONFIG. */
export type RedisSettings = ReadonlyMap<string, string> | null;

const NAMES = ["appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy"] as const;

/** The value of one setting; undefined if Redis does not know the setting. */
const CONFIG_VALUE: Reply<string | undefined> = (answer) => pairsOf(bytes, bytes)(answer)[0]?.[1].toString();

export async function readSettings({ send }: Link): Promise<RedisSettings> {
  try {
    const replies = await Promise.all(NAMES.map((name) => send("CONFIG", ["GET", name], CONFIG_VALUE)));
    return new Map(NAMES.map((name, index) => [name, replies[index] ?? ""]));
  } catch (error) {
    if (error instanceof Error && /^(NOPERM|ERR) /.test(error.message)) return null;
    throw error;
  }
}

/** Says in a sentence or two how durable an acknowledged write is with these settings of Redis. */
export function describeDurability(settings: RedisSettings): string {
  if (settings === null) return "Unknown: Redis does not let this client read its settings (CONFIG GET).";
  return `${describePersistence(settings)} ${describeEviction(settings)}`;
}

function describePersistence(settings: ReadonlyMap<string, string>): string {
  if (settings.get("appendonly") === "yes") {
    const fsync = settings.get("appendfsync");
    if (fsync === "always") return "An acknowledged write is on Redis's disk (appendfsync always).";
    if (fsync === "everysec")
      return "A crash of Redis's machine loses at most about a second of acknowledged writes (appendfsync everysec).";
    return "An acknowledged write is on Redis's disk when its operating system chooses (appendfsync no).";
  }
  const save = settings.get("save") ?? "";
  if (save === "")
    return "Acknowledged writes are in memory only: a restart of Redis loses them (appendonly no, no save).";
  return `A crash of Redis loses the acknowledged writes since its last dump (appendonly no, save ${save}).`;
}

function describeEviction(settings: ReadonlyMap<string, string>): string {
  const policy = settings.get("maxmemory-policy") ?? "noeviction";
  if (settings.get("maxmemory") === "0" || policy === "noeviction")
    return `Nothing is evicted (maxmemory-policy ${policy}).`;
  if (policy.startsWith("volatile-"))
    return `When memory is short, only cached outputs are evicted (maxmemory-policy ${policy}).`;
  return `Samples may be evicted when memory is short (maxmemory-policy ${policy}): use volatile-lru instead.`;
}
