import { describe, expect, it } from "vitest";
import { cgroupFolders, parseCgroups } from "../../src/ranker/cgroups.js";
import { DOCKER_V1 } from "../support/cgroups.js";

describe("parseCgroups", () => {
  it("tells v2, v1 and both apart", () => {
    expect(parseCgroups("0::/user.slice\n", "cpu")).toEqual({ unified: "/user.slice", legacy: null });
    expect(parseCgroups(DOCKER_V1, "cpu")).toEqual({
      unified: "/system.slice/containerd.service",
      legacy: { path: "/docker/4f5e", controllers: "cpu,cpuacct" },
    });
    expect(parseCgroups("", "cpu")).toEqual({ unified: null, legacy: null });
  });

  it("takes no other controller for cpu", () => {
    expect(parseCgroups("3:cpuset:/a\n2:cpuacct:/b\n1:name=cpu:/c\n", "cpu").legacy).toBeNull();
  });

  it("keeps a colon in a path", () => {
    expect(parseCgroups("0::/system.slice:docker:4f5e\n", "cpu").unified).toBe("/system.slice:docker:4f5e");
  });
});

describe("cgroupFolders", () => {
  it("are the cgroup's and those above it, and the mount's last", () => {
    const read = (): string => "5:memory:/a/b\n0::/c\n";
    expect(cgroupFolders(read, "memory")).toEqual({
      v2: ["/sys/fs/cgroup/c", "/sys/fs/cgroup"],
      v1: ["/sys/fs/cgroup/memory/a/b", "/sys/fs/cgroup/memory/a", "/sys/fs/cgroup/memory"],
    });
    expect(cgroupFolders(() => null, "memory")).toEqual({ v2: [], v1: [] });
  });
});
