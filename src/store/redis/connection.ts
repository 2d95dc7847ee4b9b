import { createHash } from "node:crypto";
import { Redis } from "ioredis";
import { AssayError } from "../../errors.js";
import type { RedisLocation } from "./location.js";

export type Argument = string | number | Buffer;

/** A Lua script of one key; its digest is how Redis knows it again. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export function defineScript(lua: string): Script {
  return { lua, sha: createHash("sha1").update(lua).digest("hex") };
}

/** One connection to Redis. Replies are as Redis sends them: buffers, numbers, null and lists of these. */
export interface Connection {
  send(command: string, args: readonly Argument[]): Promise<unknown>;
  run(script: Script, key: string, args: readonly Argument[]): Promise<unknown>;
  /** The promise that Redis's settings make of an acknowledged write, read once a connection. */
  durability(): Promise<string>;
  /** Sends what is queued, waits for the answers and closes. */
  close(): Promise<void>;
}

/**
 * Connects, and connects again for as long as it is open. A command never waits for Redis to come back: it fails when the
 * connection is down or when no answer came within `timeoutMs`. Only the first commands wait, `timeoutMs` at most, for
 * the first connection. A write that failed may have been done: all writes of the store can be repeated.
 */
export function connect({ connection, prefix }: RedisLocation, timeoutMs: number): Connection {
  const redis = new Redis({
    ...connection,
    connectionName: `assay-${prefix.replaceAll(":", "-")}`,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    // A connection that swallows commands without an answer is given up and made anew.
    socketTimeout: 2 * timeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 2000),
  });
  let lastError: Error | null = null;
  let durability: string | null = null;
  redis.on("error", (error: Error) => {
    lastError = error;
  });
  redis.on("ready", () => {
    lastError = null;
    durability = null; // it may be another Redis, or one with other settings
  });
  const firstConnection = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, timeoutMs);
    redis.once("ready", () => {
      clearTimeout(timer);
      resolve();
    });
    redis.once("end", () => {
      clearTimeout(timer);
      resolve();
    });
  });

  async function send(command: string, args: readonly Argument[]): Promise<unknown> {
    if (redis.status !== "ready") await firstConnection;
    if (redis.status !== "ready") throw unavailable(lastError ?? new Error("there is no connection"));
    return redis.callBuffer(command, [...args]);
  }

  return {
    send,

    async run({ sha, lua }, key, args) {
      try {
        return await send("EVALSHA", [sha, 1, key, ...args]);
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
        return send("EVAL", [lua, 1, key, ...args]);
      }
    },

    async durability() {
      durability ??= describeDurability(await readSettings(send));
      return durability;
    },

    async close() {
      if (redis.status === "ready") {
        try {
          await redis.quit();
          return;
        } catch {
          // It died in the meantime: there is nothing left to wait for.
        }
      }
      redis.disconnect();
    },
  };
}

/** An error of ioredis or of Redis, in the catalogue's terms. */
export function explain(error: unknown): AssayError {
  const message = error instanceof Error ? error.message : String(error);
  // A script's own error comes with Redis's additions around it.
  const fault = /\bCORRUPT (.+?)(?: script: |$)/.exec(message)?.[1];
  if (fault !== undefined) {
    return new AssayError("store_corrupt", { detail: `The store cannot be read: ${fault}`, cause: error });
  }
  return unavailable(error);
}

function unavailable(cause: unknown): AssayError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new AssayError("store_unavailable", { detail: `Redis did not do its part: ${message}`, cause });
}

/** Null: Redis does not tell (CONFIG is often forbidden on managed servers). */
export type RedisSettings = ReadonlyMap<string, string> | null;

async function readSettings(send: Connection["send"]): Promise<RedisSettings> {
  const settings = new Map<string, string>();
  for (const name of ["appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy"]) {
    let reply: unknown;
    try {
      reply = await send("CONFIG", ["GET", name]);
    } catch (error) {
      if (error instanceof Error && /^(NOPERM|ERR)/.test(error.message)) return null;
      throw error;
    }
    const [, value] = reply as (Buffer | undefined)[];
    settings.set(name, value?.toString() ?? "");
  }
  return settings;
}

/** What Redis's settings promise of an acknowledged write, in a sentence or two. */
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
    return `When memory is short only cached outputs are evicted (maxmemory-policy ${policy}).`;
  return `Samples may be evicted when memory is short (maxmemory-policy ${policy}): use volatile-lru instead.`;
}
