import { readdirSync, readFileSync } from "node:fs";

/** Processes that this one has started. */
export function childPids(): number[] {
  return readdirSync("/proc/self/task").flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, "utf8").split(/\s+/).filter(Boolean).map(Number),
  );
}
