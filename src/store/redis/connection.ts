import { createHash } from "node:crypto";
import { Redis } from "ioredis";
import type { AssayError } from "../../errors.js";
import { explain, isOfReplica, isTimeout, reasonOf, unavailable } from "./faults.js";
import type { RedisLocation } from "./location.js";
import { type PackedArguments, PackedCommand } from "./packed.js";
import type { Reply } from "./reply.js";

export type Argument = string | number | Buffer;

/** A Lua script with one key. Redis recognises it by its digest. */
export interface Script<T> {
  readonly lua: string;
  readonly sha: string;
  readonly reply: Reply<T>;
}

export function defineScript<T>(reply: Reply<T>, lua: string): Script<T> {
  return { lua, sha: createHash("sha1").update(lua).digest("hex"), reply };
}

/** A connection to one server. Answers are buffers, numbers, null and lists of these. The caller says how to read each answer. */
export interface Link {
  send<T>(command: string, args: readonly Argument[], reply: Reply<T>): Promise<T>;
  run<T>(script: Script<T>, key: string, args: readonly Argument[]): Promise<T>;
  runPacked<T>(script: Script<T>, key: string, args: PackedArguments): Promise<T>;
  /** Number of connections so far. Another connection may lead to another Redis, so do not rely on earlier answers. */
  connections(): number;
  /** Waits until the first attempt to connect has succeeded or failed. */
  tried(): Promise<void>;
  /** Sends what is queued, waits for the answers and closes. */
  close(): Promise<void>;
}

/** A connection to one server, or to all of a cluster. The first argument of a command is its key. */
export interface Connection extends Link {
  /** The servers that take writes, with a key of each that begins with `base`. */
  masters(base: string): Promise<readonly Master[]>;
}

export interface Master {
  readonly link: Link;
  readonly key: string;
}

export interface ConnectOptions {
  readonly timeoutMs: number;
  /** Called when the connection is lost, with the reason for the log; and with null when it is back. */
  readonly onChange: (lost: string | null) => void;
}

/**
 * Most unanswered commands, and most bytes that wait for the system's buffers. Beyond these no further command is sent to Redis.
 */
const UNANSWERED_MAX = 2 ** 14;
const UNSENT_BYTES_MAX = 64 * 2 ** 20;
/** Least time between two reconnections because of a replica. If there is no master, the replica can still answer reads. */
const LEAVE_REPLICA_EVERY_MS = 1000;
/** If Redis refuses the database, it is selected again after this time. */
const SELECT_AGAIN_MS = 2000;

/**
 * Connects, and connects again until it is closed. It also reconnects if the server is a replica, because a failover moves the
 * address. A command never waits for Redis to come back. It fails if the connection is down or if no answer comes within
 * `timeoutMs`. After such a timeout further commands fail at once until Redis answers. Only the first commands wait for the first
 * connection, at most `timeoutMs`. A write that failed may have been done, but all writes of the store can be repeated.
 */
export function connect(location: RedisLocation, { timeoutMs, onChange }: ConnectOptions): Link {
  const { connection, database, prefix } = location;
  let leftReplicaAtMs = Number.NEGATIVE_INFINITY;
  const redis = new Redis({
    ...connection,
    connectionName: `assay-${prefix.replaceAll(":", "-")}`,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    // If a connection gives no answers for this long, it is closed and a new one is made.
    socketTimeout: 2 * timeoutMs,
    // A Redis that is loading says so in its replies. The ready check would print Redis's reply if the user may not run INFO.
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

  /** Uses the connection only once its database is selected. ioredis itself would continue with database 0 after a refusal. */
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
    if (silent) throw unavailable("Redis has not answered in time; nothing more is sent to it until it does");
    if (redis.commandQueue.length >= UNANSWERED_MAX || redis.stream.writableLength > UNSENT_BYTES_MAX) {
      throw unavailable(
        "Redis has too many unanswered commands; nothing more is sent to it until it answers",
      );
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

  /** Sends the script's digest first, and the script itself if Redis does not know the digest. */
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
          // The connection was lost in the meantime, so there is nothing to wait for.
        }
      }
      redis.disconnect();
    },
  };
}

/** A promise that resolves when `done` is called, or after `ms`. */
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
