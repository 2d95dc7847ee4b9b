import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openClient } from "./client.mjs";
import { nameOf, ROOT } from "./options.mjs";

const START_TIMEOUT_MS = 120_000;

/**
 * The compiled service in a process of its own, with a port and a data folder of its own and the model loaded. `env` holds
 * further settings; those of the caller's shell do not reach it.
 */
export async function startService({ model, env = {} }) {
  const dataDir = await mkdtemp(join(tmpdir(), "assay-bench-"));
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("ASSAY_"));
  const child = spawn(process.execPath, [join(ROOT, "dist/cli.js"), "serve"], {
    env: {
      ...Object.fromEntries(own),
      ASSAY_PORT: "0",
      ASSAY_DATA_DIR: dataDir,
      ASSAY_MODELS_DIR: dirname(model),
      ASSAY_DEFAULT_MODEL: nameOf(model),
      ASSAY_LOG_LEVEL: "warn",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  // A bench that dies takes its service along; the engine process ends with the service.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const url = await ready(child);
  // From here on it speaks of trouble only, and whoever reads a failed figure needs to see it.
  for (const stream of [child.stdout, child.stderr]) stream.removeAllListeners("data").pipe(process.stderr);
  const client = openClient(url);
  return {
    url,
    ...client,
    async close() {
      client.close();
      child.kill("SIGTERM");
      await exited;
      process.off("exit", kill);
      await rm(dataDir, { recursive: true });
    },
  };
}

/** The service's URL once its model is ready; throws with its output where it ends or takes too long. */
function ready(child) {
  let output = "";
  return new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`the service ${why}; it printed:\n${output}`));
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      fail("was not ready in time");
    }, START_TIMEOUT_MS);
    const look = (text) => {
      output += text;
      const url = /^Assay listens on (\S+),/m.exec(output)?.[1];
      if (url === undefined || !/^Model \S+ is ready/m.test(output)) return;
      clearTimeout(late);
      resolve(url);
    };
    child.stdout.setEncoding("utf8").on("data", look);
    child.stderr.setEncoding("utf8").on("data", look);
    child.once("close", (code, signal) => {
      clearTimeout(late);
      fail(`ended (${signal ?? `exit code ${code}`})`);
    });
  });
}
