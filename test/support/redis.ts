import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A redis-server of our own, on a free port and with its data in a temporary folder. */
export interface RedisServer {
  readonly port: number;
  /** Where its data lies. */
  readonly directory: string;
  /** Kills the process, as a crash does. */
  kill(): Promise<void>;
  /** Suspends it: connections stay open and nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** Starts it again on the same port and data, with other arguments where some are given. */
  start(args?: readonly string[]): Promise<void>;
  remove(): Promise<void>;
}

/** False where there is no redis-server, unless CI is set: there its absence is a failure. */
export function hasRedisServer(): boolean {
  try {
    execFileSync("redis-server", ["--version"]);
    return true;
  } catch (error) {
    if (process.env.CI === "true") throw new Error("CI must have redis-server", { cause: error });
    return false;
  }
}

export async function startRedis(args: readonly string[] = []): Promise<RedisServer> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), "assay-redis-"));
  let server: ChildProcess | null = null;

  async function start(anew: readonly string[] = args): Promise<void> {
    const settings = [
      "--port",
      String(port),
      "--bind",
      "127.0.0.1",
      "--dir",
      directory,
      "--save",
      "",
      ...anew,
    ];
    server = spawn("redis-server", settings, { stdio: "ignore" });
    while (!(await accepts(port))) {
      if (server.exitCode !== null) throw new Error(`redis-server ended with ${server.exitCode}`);
      await sleep(20);
    }
  }

  async function kill(): Promise<void> {
    const ending = server;
    server = null;
    if (ending === null || ending.exitCode !== null) return;
    const ended = new Promise((resolve) => ending.once("exit", resolve));
    ending.kill("SIGKILL");
    await ended;
  }

  await start();
  return {
    port,
    directory,
    start,
    kill,
    freeze: () => void server?.kill("SIGSTOP"),
    thaw: () => void server?.kill("SIGCONT"),
    async remove() {
      await kill();
      await rm(directory, { recursive: true });
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === "object"
          ? resolve(address.port)
          : reject(new Error("no port")),
      );
    });
  });
}

/** Whether the server takes commands: it answers LOADING while it reads its data. */
function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (reply) => done(reply.toString().startsWith("+PONG")));
    socket.once("error", () => done(false));
  });
}
