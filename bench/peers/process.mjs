import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_TIMEOUT_MS = 120_000;

const folder = () =>
  process.env.BENCH_PEERS_DIR ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "assay-bench");

/** The shipped model as the peers load it. */
export const checkpoint = () => join(folder(), "checkpoint");

/** Starts Python in a peer's environment. `stdin` and `stdout` are pipes; what it says goes to a log that errors quote. */
export function startPython(peer, args, env = {}) {
  const python = join(folder(), peer, "bin/python");
  if (!existsSync(python)) throw new Error(`${peer} is not installed: bash bench/peers/install.sh`);
  const child = spawn(python, args, {
    env: { ...process.env, DO_NOT_TRACK: "1", HF_HUB_OFFLINE: "1", TRANSFORMERS_OFFLINE: "1", ...env },
    stdio: ["pipe", "pipe", "pipe"],
    // A group of its own: servers start workers, which end with it.
    detached: true,
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    log = (log + text).slice(-4000);
  });
  const exited = once(child, "exit");
  const kill = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  };
  process.once("exit", kill);
  return {
    child,
    log: () => log,
    async close() {
      kill();
      await exited;
      process.off("exit", kill);
    },
  };
}

/** Waits until the server answers 200 at `url`; throws with its log where it ends or takes too long. */
export async function untilHealthy({ child, log }, url) {
  for (const untilMs = Date.now() + START_TIMEOUT_MS; Date.now() < untilMs; await sleep(200)) {
    if (child.exitCode !== null) break;
    const answer = await fetch(url).catch(() => null); // refused until it listens
    if (answer?.ok) return;
  }
  throw new Error(`the peer does not answer at ${url}; it said:\n${log()}`);
}

/** A port that is free now. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Installed version of packages in a peer's environment. */
export async function versionsOf(peer, packages) {
  const program = `import importlib.metadata as m; print(*(f"{p} {m.version(p)}" for p in ${JSON.stringify(packages)}), sep=", ")`;
  const python = startPython(peer, ["-c", program]);
  let text = "";
  for await (const chunk of python.child.stdout) text += chunk;
  return text.trim();
}
