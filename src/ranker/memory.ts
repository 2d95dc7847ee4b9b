import { readFile } from "node:fs/promises";
import { AssayError } from "../errors.js";
import { cgroupFolders, type ReadText, readText } from "./cgroups.js";

/**
 * Bytes of memory that this process and its children may still take: the least of what the machine and the cgroups of this process
 * have left. Page cache counts as free. Null where the system does not tell (not Linux).
 */
export function availableMemory(read: ReadText = readText): number | null {
  const { v2, v1 } = cgroupFolders(read, "memory");
  const known = [
    machineMemory(read),
    ...v2.map((folder) => left(read, folder, VERSION_2)),
    ...v1.map((folder) => left(read, folder, VERSION_1)),
  ].filter((bytes) => bytes !== null);
  return known.length === 0 ? null : Math.max(0, Math.min(...known));
}

/** Names of a cgroup's files, and of the parts of its usage that the kernel can drop. */
interface CgroupFiles {
  readonly limit: string;
  readonly usage: string;
  readonly droppable: readonly string[];
}

const VERSION_1: CgroupFiles = {
  limit: "memory.limit_in_bytes",
  usage: "memory.usage_in_bytes",
  droppable: ["total_active_file", "total_inactive_file"],
};
const VERSION_2: CgroupFiles = {
  limit: "memory.max",
  usage: "memory.current",
  droppable: ["active_file", "inactive_file"],
};

function machineMemory(read: ReadText): number | null {
  const kilobytes = numberIn(read("/proc/meminfo"), "MemAvailable:");
  return kilobytes === null ? null : kilobytes * 1024;
}

/** What a cgroup leaves; null if it has no limit, which v2 calls `max`. */
function left(read: ReadText, folder: string, { limit, usage, droppable }: CgroupFiles): number | null {
  const most = Number.parseInt(read(`${folder}/${limit}`) ?? "", 10);
  const used = Number.parseInt(read(`${folder}/${usage}`) ?? "", 10);
  if (Number.isNaN(most) || Number.isNaN(used)) return null;
  const stat = read(`${folder}/memory.stat`);
  return most - used + droppable.reduce((sum, name) => sum + (numberIn(stat, name) ?? 0), 0);
}

/** The number after a name at the start of a line. */
function numberIn(text: string | null, name: string): number | null {
  const line = text?.split("\n").find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? null : Number.parseInt(line.slice(name.length), 10);
}

/**
 * Bytes of memory that a process takes: its proportional set size, which counts a page that n processes share as 1/n of a page.
 * Where the kernel does not tell it, the resident size. Null if the process is gone, or the system does not tell (not Linux).
 */
export async function processMemory(
  pid: number,
  read: (path: string) => Promise<string | null> = readTextLater,
): Promise<number | null> {
  const kilobytes =
    numberIn(await read(`/proc/${pid}/smaps_rollup`), "Pss:") ??
    numberIn(spaced(await read(`/proc/${pid}/status`)), "VmRSS:");
  return kilobytes === null ? null : kilobytes * 1024;
}

/** /proc/PID/status sets values apart with tabs. */
function spaced(text: string | null): string | null {
  return text?.replaceAll("\t", " ") ?? null;
}

/** Null for every failure: a process may be gone, and other systems have no such files. */
async function readTextLater(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return null;
  }
}

/** Throws `memory_insufficient` if `subject` needs more bytes than are available. `available` is null where that is not known. */
export function requireMemory(subject: string, needed: number, available: number | null): void {
  if (available === null || needed <= available) return;
  throw new AssayError("memory_insufficient", {
    detail: `${subject} needs about ${gigabytes(needed)} of memory, and ${gigabytes(available)} are available: free some, raise the container's limit, or use a machine with more (ASSAY_MEMORY_CHECK=off skips this check)`,
  });
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e9 ? 2 : 1)} GB`;
}
