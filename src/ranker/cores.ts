import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { posix } from "node:path";

/** A file's text; null if it cannot be read. */
export type ReadText = (path: string) => string | null;

/** Where Linux mounts the cgroup file systems. */
const CGROUP_ROOT = "/sys/fs/cgroup";

/** The kernel's default period. It applies to a quota that names no period. */
const PERIOD_US = 100_000;

/**
 * Whole cores that this process may keep busy: the cores it may run on, or fewer if a cgroup gives it less time. At least 1.
 *
 * A fraction is rounded down. The threads of an operator finish together. If there are more threads than the quota allows, all of
 * them stop when it is used up, and so does the event loop in the same cgroup. The rest from rounding down is left for that loop.
 *
 * This is needed because a container's CPU limit is a quota, and Node 20's `availableParallelism` respects affinity (cpusets) but
 * no quotas. Node 24's respects quotas and rounds them down too, but ignores those under one core (nodejs/node#59200).
 */
export function availableCores(
  read: ReadText = readText,
  coresVisible: number = availableParallelism(),
): number {
  return Math.max(1, Math.floor(Math.min(coresVisible, cgroupCores(read))));
}

/** Each session has its own buffers, and its own copy of small weights, so a large machine does not get one session for each core. */
const SESSIONS_MAX = 4;

/**
 * Chooses the numbers of sessions and of threads in each that are not given, so that they use all cores and no more. Many
 * sessions with few threads run bulk faster than few sessions with many threads: on two cores, two sessions with one thread each
 * are 1.1 times (fp32) and 1.2 times (int8) as fast as one with two threads.
 */
export function shareCores(
  cores: number,
  sessions: number | undefined,
  threads: number | undefined,
): { sessions: number; threads: number } {
  const threadsFitting = threads ?? Math.ceil(cores / SESSIONS_MAX);
  const chosen = sessions ?? Math.max(1, Math.floor(cores / threadsFitting));
  return { sessions: chosen, threads: threads ?? Math.max(1, Math.floor(cores / chosen)) };
}

/** The CPU time that the cgroups of this process grant, in cores, not rounded; infinite without a quota. */
function cgroupCores(read: ReadText): number {
  const { unified, cpu } = parseCgroups(read("/proc/self/cgroup") ?? "");
  const quotas: number[] = [];
  if (unified !== null) {
    for (const folder of withAncestors(CGROUP_ROOT, unified)) {
      quotas.push(parseCpuMax(read(`${folder}/cpu.max`)));
    }
  }
  if (cpu !== null) {
    for (const mount of new Set(["cpu", cpu.controllers])) {
      for (const folder of withAncestors(`${CGROUP_ROOT}/${mount}`, cpu.path)) {
        quotas.push(parseCfs(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`)));
      }
    }
  }
  return Math.min(...quotas, Number.POSITIVE_INFINITY);
}

export interface Cgroups {
  /** Path in the cgroup v2 hierarchy. */
  readonly unified: string | null;
  /** Path in the v1 hierarchy of the cpu controller, and that hierarchy's name: `cpu` or `cpu,cpuacct`. */
  readonly cpu: { readonly path: string; readonly controllers: string } | null;
}

/** Reads /proc/self/cgroup: lines of `hierarchy:controllers:path`. The line of v2 begins with `0::`. */
export function parseCgroups(text: string): Cgroups {
  let unified: Cgroups["unified"] = null;
  let cpu: Cgroups["cpu"] = null;
  for (const line of text.split("\n")) {
    const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    if (hierarchy === "0" && controllers === "") unified = path;
    if (controllers.split(",").includes("cpu")) cpu = { path, controllers };
  }
  return { unified, cpu };
}

/** Cores of v2's cpu.max, `150000 100000` or `max 100000`: quota and period in µs. Infinite without a quota. */
export function parseCpuMax(text: string | null): number {
  const [quota, period] = (text ?? "").trim().split(/\s+/);
  return coresOf(Number(quota), Number(period ?? PERIOD_US));
}

/** Cores of v1's cpu.cfs_quota_us and cpu.cfs_period_us. Infinite without a quota; then the file holds −1. */
export function parseCfs(quota: string | null, period: string | null): number {
  return coresOf(Number(quota), Number(period ?? PERIOD_US));
}

/** A missing value, `max`, −1 and anything that is not a number mean no limit. */
function coresOf(quotaUs: number, periodUs: number): number {
  return quotaUs > 0 && periodUs > 0 ? quotaUs / periodUs : Number.POSITIVE_INFINITY;
}

/**
 * The folder of a cgroup and all folders above it up to the mount, because a quota of each of them applies. In a container
 * without a cgroup namespace the path is the host's, but the mount shows only the container's own folder. Then the lower folders
 * do not exist, and the files of the mount apply. `/../x` is a cgroup outside of the namespace; its files are not visible.
 */
function withAncestors(mount: string, path: string): string[] {
  const folders = [mount];
  for (const name of posix.normalize(path).split("/").filter(Boolean)) {
    folders.push(`${folders.at(-1)}/${name}`);
  }
  return folders;
}

/** Null for every failure. If no file gives a limit (another system, a controller that is off), no limit is known. */
function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
