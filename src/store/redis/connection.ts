import { createHash } from "node:crypto";
import { Redis } from "ioredis";
import { AssayError } from "../../errors.js";
import type { RedisLocation } from "./location.js";
import { type PackedArguments, PackedCommand } from "./packed.js";

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
  runPacked(script: Script, key: string, args: PackedArguments): Promise<unknown>;
  /** How often it has been connected: what was learnt of an earlier Redis may not hold for this one. */
  connections(): number;
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
  let connections = 0;
  redis.on("error", (error: Error) => {
    lastError = error;
  });
  redis.on("ready", () => {
    lastError = null;
    connections++;
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

  async function connected(): Promise<void> {
    if (redis.status !== "ready") await firstConnection;
    if (redis.status !== "ready") throw unavailable(lastError ?? new Error("there is no connection"));
  }

  async function send(command: string, args: readonly Argument[]): Promise<unknown> {
    await connected();
    return redis.callBuffer(command, [...args]);
  }

  /** Names the script by its digest first, and sends it where Redis does not know it. */
  async function evaluate(
    { sha, lua }: Script,
    call: (command: string, script: string) => Promise<unknown>,
  ): Promise<unknown> {
    try {
      return await call("EVALSHA", sha);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return call("EVAL", lua);
    }
  }

  return {
    send,

    run: (script, key, args) => evaluate(script, (command, body) => send(command, [body, 1, key, ...args])),

    runPacked: (script, key, args) =>
      evaluate(script, async (command, body) => {
        await connected();
        return redis.sendCommand(new PackedCommand(command, [body, "1", key], args));
      }),

    connections: () => connections,

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
