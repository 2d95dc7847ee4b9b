import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { availableCores, parseCfs, parseCpuMax } from "../../src/ranker/cores.js";
import { DOCKER_V1 } from "../support/cgroups.js";

/** Cores on a machine of 64 whose files are these. */
function coresWith(files: Readonly<Record<string, string>>, coresVisible = 64): number {
  return availableCores((path) => files[path] ?? null, coresVisible);
}

const POD =
  "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-9f8e7d.scope";

describe("availableCores", () => {
  it("is what this machine has where nothing limits it", () => {
    expect(coresWith({})).toBe(64);
    expect(availableCores(() => null)).toBe(availableParallelism());
  });

  it("is a whole number between 1 and the machine's, on this machine", () => {
    expect(availableCores()).toBeGreaterThanOrEqual(1);
    expect(availableCores()).toBeLessThanOrEqual(availableParallelism());
    expect(Number.isInteger(availableCores())).toBe(true);
  });

  it("reads the quota of a container with its own cgroup namespace", () => {
    const files = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "400000 100000\n" };
    expect(coresWith(files)).toBe(4);
    expect(coresWith(files, 2)).toBe(2);
    expect(coresWith({ ...files, "/sys/fs/cgroup/cpu.max": "max 100000\n" })).toBe(64);
  });

  it("rounds a fraction down, and never to none", () => {
    const cores = (cpuMax: string) =>
      coresWith({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": cpuMax });
    expect(cores("150000 100000")).toBe(1);
    expect(cores("399000 100000")).toBe(3);
    expect(cores("50000 100000")).toBe(1);
    expect(cores("1000 100000")).toBe(1);
  });

  it("takes the tightest quota of the cgroup and those above it", () => {
    const scope = `/sys/fs/cgroup${POD}`;
    const pod = scope.slice(0, scope.lastIndexOf("/"));
    const files = {
      "/proc/self/cgroup": `0::${POD}\n`,
      [`${scope}/cpu.max`]: "800000 100000\n",
      [`${pod}/cpu.max`]: "300000 100000\n",
      "/sys/fs/cgroup/kubepods.slice/cpu.max": "max 100000\n",
    };
    expect(coresWith(files)).toBe(3);
    expect(coresWith({ ...files, [`${scope}/cpu.max`]: "200000 100000\n" })).toBe(2);
    expect(coresWith({ ...files, [`${pod}/cpu.max`]: "max 100000\n" })).toBe(8);
  });

  it("finds the container's quota at the mount where the path is the host's", () => {
    expect(
      coresWith({ "/proc/self/cgroup": `0::${POD}\n`, "/sys/fs/cgroup/cpu.max": "200000 100000\n" }),
    ).toBe(2);
    expect(
      coresWith({
        "/proc/self/cgroup": DOCKER_V1,
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "50000\n",
      }),
    ).toBe(5);
  });

  it("reads cgroup v1 under the name of the hierarchy, with or without the link called cpu", () => {
    const folder = "docker/4f5e";
    expect(
      coresWith({
        "/proc/self/cgroup": DOCKER_V1,
        [`/sys/fs/cgroup/cpu,cpuacct/${folder}/cpu.cfs_quota_us`]: "300000\n",
        [`/sys/fs/cgroup/cpu,cpuacct/${folder}/cpu.cfs_period_us`]: "100000\n",
      }),
    ).toBe(3);
    expect(
      coresWith({
        "/proc/self/cgroup": "1:cpu:/job\n",
        "/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "600000\n",
      }),
    ).toBe(6);
  });

  it("reads the cpu controller of a hybrid host from v1, whatever stands under 0::", () => {
    expect(
      coresWith({
        "/proc/self/cgroup": "1:cpu:/a\n0::/b\n",
        "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "200000\n",
        "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/unified/b/cgroup.procs": "",
      }),
    ).toBe(2);
  });

  it("stays inside the mount for a cgroup outside the namespace", () => {
    expect(
      coresWith({
        "/proc/self/cgroup": "0::/../../other\n",
        "/sys/fs/cgroup/cpu.max": "700000 100000\n",
        "/sys/cpu.max": "100000 100000\n",
      }),
    ).toBe(7);
  });
});

describe("quotas", () => {
  it("are cores, with their fraction", () => {
    expect(parseCpuMax("150000 100000\n")).toBe(1.5);
    expect(parseCpuMax("50000")).toBe(0.5);
    expect(parseCfs("25000\n", "50000\n")).toBe(0.5);
  });

  it("limit nothing where they are absent, unlimited or unreadable", () => {
    for (const text of [null, "", "max 100000", "max", "-1 100000", "0 100000", "100000 0", "x y"]) {
      expect(parseCpuMax(text), String(text)).toBe(Number.POSITIVE_INFINITY);
    }
    for (const quota of [null, "", "-1", "0", "x"]) {
      expect(parseCfs(quota, "100000"), String(quota)).toBe(Number.POSITIVE_INFINITY);
    }
  });
});
