import { availableParallelism } from "node:os";
import { cgroupFolders, type ReadText, readText } from "./cgroups.js";

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

/** Each session has its own buffers, and packs its own copy of small weights, so a large machine does not get one for each core. */
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
  const { v2, v1 } = cgroupFolders(read, "cpu");
  return Math.min(
    ...v2.map((folder) => parseCpuMax(read(`${folder}/cpu.max`))),
    ...v1.map((folder) => parseCfs(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`))),
    Number.POSITIVE_INFINITY,
  );
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
