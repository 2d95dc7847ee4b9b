import { createHash } from "node:crypto";
import { Redis } from "ioredis";
import type { AssayError } from "../../errors.js";
import { explain, isOfReplica, isTimeout, reasonOf, unavailable } from "./faults.js";
import type { RedisLocation } from "./location.js";
import { type PackedArguments, PackedCommand } from "./packed.js";
import type { Reply } from "./reply.js";

export type Argument = string | number | Buffer;

/** A Lua script of one key; its digest is how Redis knows it again. */
export interface Script<T> {
  readonly lua: string;
  readonly sha: string;
  readonly reply: Reply<T>;
}

export function defineScript<T>(reply: Reply<T>, lua: string): Script<T> {
  return { lua, sha: createHash("sha1").update(lua).digest("hex"), reply };
}

/** One connection to Redis. Redis answers with buffers, numbers, null and lists of these; each command says how to read its answer. */
export interface Connection {
  send<T>(command: string, args: readonly Argument[], reply: Reply<T>): Promise<T>;
  run<T>(script: Script<T>, key: string, args: readonly Argument[]): Promise<T>;
  runPacked<T>(script: Script<T>, key: string, args: PackedArguments): Promise<T>;
  /** How often it has been connected: what was learnt of an earlier Redis may not hold for this one. */
  connections(): number;
  /** Waits for the first try to connect, whatever comes of it. */
  tried(): Promise<void>;
  /** Sends what is queued, waits for the answers and closes. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  readonly timeoutMs: number;
  /** Told of the loss of the connection with the reason, for the log, and of its return with null. */
  readonly onChange: (lost: string | null) => void;
}

/** Commands without an answer, and bytes that the system's buffers do not take: over these a Redis that hangs is given no more. */
const UNANSWERED_MAX = 2 ** 14;
const UNSENT_BYTES_MAX = 64 * 2 ** 20;
/** A replica is left at most this often: while there is no master it still answers what it can. */
const LEAVE_REPLICA_EVERY_MS = 1000;
/** A database that Redis refuses is asked for again after this time. */
const SELECT_AGAIN_MS = 2000;

/**
 * Connects, and connects again for as long as it is open, also from a replica, for a failover moves the address. A command
 * never waits for Redis to come back: it fails when the connection is down, when no answer came within `timeoutMs`, and
 * at once while Redis owes the answer to such a one. Only the first commands wait, `timeoutMs` at most, for the first connection.
 * A write that failed may have been done: all writes of the store can be repeated.
 */
export function connect(location: RedisLocation, { timeoutMs, onChange }: ConnectOptions): Connection {
  const { connection, database, prefix } = location;
  let leftReplicaAtMs = Number.NEGATIVE_INFINITY;
  const redis = new Redis({
    ...connection,
    connectionName: `assay-${prefix.replaceAll(":", "-")}`,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    // A connection that swallows commands without an answer is given up and made anew.
    socketTimeout: 2 * timeoutMs,
    // A Redis that is loading says so itself; ioredis would print what INFO answers a user who may not run it.
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 2000),
    reconnectOnError(error) {
      const nowMs = performance.now();
      if (!isOfReplica(error) || nowMs - leftReplicaAtMs < LEAVE_REPLICA_EVERY_MS) return false;
      leftReplicaAtMs = nowMs;
      lose(error);
      return true;
    },
  });

  let connections = 0;
  let fault: AssayError | null = unavailable("There is no connection to Redis yet");
  let heardAtMs = 0;
  let silent = false;
  const { promise: firstTried, done: endFirstTry } = withinMs(timeoutMs);

  function lose(error: unknown): void {
    const explained = explain(error);
    if (fault?.message !== explained.message) onChange(reasonOf(error));
    fault = explained;
    endFirstTry();
  }

  redis.on("error", lose);
  redis.on("close", () => {
    if (fault === null) lose(new Error("Connection is closed."));
  });
  redis.on("connect", () => {
    silent = false;
    redis.stream.on("data", () => {
      heardAtMs = performance.now();
      silent = false;
    });
  });
  redis.on("ready", () => void begin());

  /** Takes the connection into use once it is at its database; ioredis itself would go on with database 0. */
  async function begin(): Promise<void> {
    try {
      if (database !== 0) await redis.call("SELECT", database);
    } catch (error) {
      lose(error);
      const { stream } = redis;
      const again = (): void => {
        if (redis.stream === stream) redis.disconnect(true);
      };
      setTimeout(again, SELECT_AGAIN_MS).unref();
      return;
    }
    fault = null;
    connections++;
    onChange(null);
    endFirstTry();
  }

  function checkUsable(): void {
    if (fault !== null) throw fault;
    if (silent) throw unavailable("Redis has not answered in time, and is sent no more until it does");
    if (redis.commandQueue.length >= UNANSWERED_MAX || redis.stream.writableLength > UNSENT_BYTES_MAX) {
      throw unavailable("Redis is too far behind with its answers to be sent more");
    }
  }

  async function answered(call: () => unknown): Promise<unknown> {
    if (connections === 0) await firstTried;
    checkUsable();
    const sentAtMs = performance.now();
    try {
      return await call();
    } catch (error) {
      if (isTimeout(error) && heardAtMs < sentAtMs) silent = true;
      throw error;
    }
  }

  const call = (command: string, args: readonly Argument[]): Promise<unknown> =>
    answered(() => redis.callBuffer(command, [...args]));

  /** Names the script by its digest first, and sends it where Redis does not know it. */
  async function evaluate<T>(
    { sha, lua, reply }: Script<T>,
    evaluateBody: (command: string, body: string) => Promise<unknown>,
  ): Promise<T> {
    try {
      return reply(await evaluateBody("EVALSHA", sha));
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return reply(await evaluateBody("EVAL", lua));
    }
  }

  return {
    send: async (command, args, reply) => reply(await call(command, args)),

    run: (script, key, args) => evaluate(script, (command, body) => call(command, [body, 1, key, ...args])),

    runPacked: (script, key, args) =>
      evaluate(script, (command, body) =>
        answered(() => redis.sendCommand(new PackedCommand(command, [body, "1", key], args))),
      ),

    connections: () => connections,

    tried: () => firstTried,

    async close() {
      if (fault === null && !silent) {
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

/** A promise that resolves when it is done, or when the time is over. */
function withinMs(ms: number): { promise: Promise<void>; done: () => void } {
  let done = (): void => {};
  const promise = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    done = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  return { promise, done };
}
