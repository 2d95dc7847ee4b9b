import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { posix } from "node:path";

/** A file's text, null where it cannot be read. */
export type ReadText = (path: string) => string | null;

/** Where Linux mounts the cgroup file systems. */
const CGROUP_ROOT = "/sys/fs/cgroup";

/** The kernel's default period, for a quota without one. */
const PERIOD_US = 100_000;

/**
 * Whole cores that this process may keep busy: the cores it may run on, or less where a cgroup gives it less time. At least 1.
 *
 * A fraction is rounded down. The threads of an operator end together: with more of them than the quota pays for, all stop
 * when it is spent, and the event loop in the same cgroup with them; what rounding down leaves over serves that loop.
 *
 * Needed because Node 20's `availableParallelism` sees affinity (cpusets) and no quotas, and a container's CPU limit is a quota;
 * Node 24's sees quotas, rounds them down too, and ignores those under one core (nodejs/node#59200).
 */
export function availableCores(
  read: ReadText = readText,
  coresVisible: number = availableParallelism(),
): number {
  return Math.max(1, Math.floor(Math.min(coresVisible, cgroupCores(read))));
}

/** Each session has the weights for itself, so there are not as many as a large machine has cores. */
const SESSIONS_MAX = 4;

/**
 * Sessions and the threads of each that keep the cores busy and no more, where they are not given. Many sessions with few
 * threads run bulk faster than the opposite: on two cores, two with one thread each 1.1 times (fp32) and 1.2 times (int8).
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

/** Cores' worth of time that the cgroups of this process grant, fractions included; infinite without a quota. */
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

/** Reads /proc/self/cgroup: lines of `hierarchy:controllers:path`, the path of v2 under `0::`. */
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

/** Cores of v1's cpu.cfs_quota_us and cpu.cfs_period_us. Infinite without a quota, which is written as −1. */
export function parseCfs(quota: string | null, period: string | null): number {
  return coresOf(Number(quota), Number(period ?? PERIOD_US));
}

/** What is missing, `max`, −1 or no number at all limits nothing. */
function coresOf(quotaUs: number, periodUs: number): number {
  return quotaUs > 0 && periodUs > 0 ? quotaUs / periodUs : Number.POSITIVE_INFINITY;
}

/**
 * The folder of a cgroup and those above it up to the mount: a quota anywhere on the way counts. In a container without a
 * cgroup namespace the path is the host's and the mount shows the container's own folder: its lower folders are not there,
 * and the mount's files are the ones that count. `/../x` is a cgroup beside the namespace's own, whose files are out of sight.
 */
function withAncestors(mount: string, path: string): string[] {
  const folders = [mount];
  for (const name of posix.normalize(path).split("/").filter(Boolean)) {
    folders.push(`${folders.at(-1)}/${name}`);
  }
  return folders;
}

/** Null for every failure: where no file tells a limit (another system, a controller that is off), none is known. */
function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
