// The stores that both sides read, and the processes that serve them.
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** An empty place for records: `open()` gives the store of the built service, `location` is what the bare side is told. */
export async function makePlace(kind, dist) {
  const directory = mkdtempSync(join(tmpdir(), "assay-cached-"));
  const from = (path) => import(pathToFileURL(join(dist, path)).href);
  if (kind === "lmdb") {
    const { openEmbeddedStore } = await from("store/embedded/store.js");
    return {
      open: () => openEmbeddedStore({ directory }),
      location: { directory },
      env: { ASSAY_DATA_DIR: directory },
      remove: async () => rmSync(directory, { recursive: true, force: true }),
    };
  }
  const { openRedisStore } = await from("store/redis/store.js");
  const port = await freePort();
  const args = [
    "--port",
    port,
    "--bind",
    "127.0.0.1",
    "--dir",
    directory,
    "--save",
    "",
    "--appendonly",
    "no",
  ];
  const server = spawn("redis-server", args.map(String), { stdio: "ignore" });
  const url = `redis://127.0.0.1:${port}`;
  await listening(port);
  return {
    async open() {
      const store = openRedisStore({ url, timeoutMs: 60_000 });
      await store.digestKey();
      return store;
    },
    location: { redisUrl: url },
    env: { ASSAY_REDIS_URL: url, ASSAY_DATA_DIR: directory },
    pid: server.pid,
    async remove() {
      server.kill("SIGKILL");
      await once(server, "exit");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Waits until something listens on the port: a store that finds nobody there says so at once. */
async function listening(port) {
  for (let tries = 0; ; tries++) {
    const socket = connect(port, "127.0.0.1");
    const [event] = await Promise.race([
      once(socket, "connect").then(() => ["connect"]),
      once(socket, "close").then(() => ["close"]),
    ]).catch(() => ["close"]);
    socket.destroy();
    if (event === "connect") return;
    if (tries === 100) throw new Error("redis-server does not listen after 10 s");
    await sleep(100);
  }
}

/** The service as it is shipped, with the default model loaded. @param ready what it prints once it is ready */
export async function startOurs(dist, env, ready = /Model \S+ is ready/) {
  const child = spawn(process.execPath, [...profiled("ours"), join(dist, "cli.js"), "serve"], {
    env: { ...process.env, ASSAY_PORT: "0", ASSAY_LOG_LEVEL: "error", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const text = await untilPrinted(child, ready);
  return serverOf(child, Number(/listens on \S+:(\d+)/.exec(text)[1]));
}

export async function startBare(location) {
  const bare = join(HERE, "bare.mjs");
  const child = spawn(process.execPath, [...profiled("bare"), bare, JSON.stringify(location)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const text = await untilPrinted(child, /listens on \d+/);
  return serverOf(child, Number(/listens on (\d+)/.exec(text)[1]));
}

/** The load client in its own process. */
export function startClient() {
  const child = fork(join(HERE, "client.mjs"), { serialization: "advanced" });
  return {
    async run(job) {
      child.send(job);
      const [result] = await once(child, "message");
      return result;
    },
    stop: () => child.kill(),
  };
}

/** Milliseconds of processor that a process has used, all its threads together. */
export function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** BENCH_PROFILE=folder writes a CPU profile of each server there. */
function profiled(name) {
  const folder = process.env.BENCH_PROFILE;
  return folder === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", join(folder, name)];
}

function serverOf(child, port) {
  return {
    port,
    pid: child.pid,
    async stop() {
      child.kill("SIGINT");
      const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
      await once(child, "exit");
      clearTimeout(late);
    },
  };
}

async function untilPrinted(child, pattern) {
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part) => {
    text += part;
  });
  while (!pattern.test(text)) {
    if (child.exitCode !== null) throw new Error(`a server ended with ${child.exitCode}:\n${text}`);
    await sleep(20);
  }
  return text;
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
