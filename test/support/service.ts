import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./app.js";

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

export interface ServiceOptions {
  /** Settings beside the preset ones; those of the test's own environment never reach the service. */
  readonly env?: Readonly<Record<string, string>>;
  /** A folder that outlives the service, for a restart; by default one of its own, gone after the test. */
  readonly dataDir?: string;
  /** Another copy of the compiled command line than this checkout's. */
  readonly cli?: string;
  /** A command that starts the service for us, such as a tracer or a limit. */
  readonly through?: readonly string[];
  /** `ready`: the model is loaded. `listening`: the port is open, the model may still be loading. */
  readonly until?: "ready" | "listening";
  readonly startTimeoutMs?: number;
}

/** The compiled service in a process of its own. */
export interface Service {
  readonly url: string;
  readonly process: ChildProcess;
  /** What it has printed so far, standard output and standard error together. */
  output(): string;
  /** Sends the signal (SIGTERM) and answers the exit code; null where it had to be killed. */
  stop(signal?: NodeJS.Signals, timeoutMs?: number): Promise<number | null>;
}

/**
 * Starts `assay serve` on a free port and waits for its line. Called within a test, after which the service and its
 * engine processes are gone, whatever happened. Throws with the service's output where it ends or says nothing in time.
 */
export async function startService({
  env = {},
  dataDir = temporaryFolder(),
  cli = CLI,
  through = [],
  until = "ready",
  startTimeoutMs = 120_000,
}: ServiceOptions = {}): Promise<Service> {
  const [command = process.execPath, ...args] = [...through, process.execPath, cli, "serve"];
  const child = spawn(command, args, {
    env: { ...foreignEnvironment(), ASSAY_PORT: "0", ASSAY_DATA_DIR: dataDir, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own, so that a kill takes the engine processes too.
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const exited = once(child, "exit");
  const kill = (): void => killGroup(child);
  process.once("exit", kill);
  onTestFinished(async () => {
    kill();
    await exited;
    process.off("exit", kill);
  });

  const line = until === "ready" ? /^Model \S+ is ready/m : /^Assay listens on/m;
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`the service ${why}; it printed:\n${output}`));
    const late = setTimeout(() => fail(`was not ${until} within ${startTimeoutMs} ms`), startTimeoutMs);
    const look = (): void => {
      if (!line.test(output)) return;
      clearTimeout(late);
      child.stdout.off("data", look);
      resolve();
    };
    child.stdout.on("data", look);
    exited.catch(reject);
    child.once("close", (code, signal) => {
      clearTimeout(late);
      fail(`ended (${signal ?? `exit code ${code}`})`);
    });
  });

  return {
    url: (/^Assay listens on (\S+),/m.exec(output) as RegExpExecArray)[1] as string,
    process: child,
    output: () => output,
    async stop(signal = "SIGTERM", timeoutMs = 20_000) {
      const late = setTimeout(kill, timeoutMs);
      child.kill(signal);
      const [code] = (await exited) as [number | null];
      clearTimeout(late);
      process.off("exit", kill);
      return code;
    },
  };
}

/** The environment without settings of Assay: those of a developer's shell would change what is tested. */
function foreignEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ASSAY_")));
}

/** Ends the process and its children at once; a group that has gone already is what was wanted. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
