import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** False where there is no strace, unless CI is set: there its absence is a failure. */
export function hasStrace(): boolean {
  try {
    execFileSync("strace", ["--version"], { stdio: "ignore" });
    return true;
  } catch (error) {
    if (process.env.CI === "true") throw new Error("CI must have strace", { cause: error });
    return false;
  }
}

/** A command to put before another: what it and its children open and send to is written to `log`. */
export function straced(log: string): readonly string[] {
  const calls = "trace=connect,sendto,sendmsg,sendmmsg,openat,mkdir,mkdirat";
  // -D: the traced command stays our child, so that signals reach it.
  return [
    "strace",
    "-D",
    "-f",
    "--seccomp-bpf",
    "-qq",
    "-s",
    "256",
    "-e",
    calls,
    "-e",
    "signal=none",
    "-o",
    log,
  ];
}

/** What a traced command did that somebody else could notice. */
export interface Traces {
  /** Addresses outside this machine that were connected or sent to, name servers included. */
  readonly foreign: readonly string[];
  /** Files and folders that were made. */
  readonly made: readonly string[];
  /** Calls that were seen at all. */
  readonly calls: number;
}

export function readTraces(log: string): Traces {
  const lines = readFileSync(log, "utf8").split("\n").filter(Boolean);
  const addresses = lines.flatMap(
    (line) => /inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"/.exec(line)?.slice(1) ?? [],
  );
  return {
    foreign: addresses.filter((address) => address !== undefined && !/^(127\.|::1$)/.test(address)),
    made: lines.flatMap((line) =>
      /O_CREAT|mkdir/.test(line) ? (/"([^"]+)"/.exec(line)?.slice(1, 2) ?? []) : [],
    ),
    calls: lines.length,
  };
}
