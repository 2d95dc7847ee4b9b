import { describe, expect, it } from "vitest";
import { availableMemory, processMemory, requireMemory } from "../../src/ranker/memory.js";

function memoryWith(files: Readonly<Record<string, string>>): number | null {
  return availableMemory((path) => files[path] ?? null);
}

const MACHINE = { "/proc/meminfo": "MemTotal:       16000 kB\nMemFree:  1 kB\nMemAvailable:    8000 kB\n" };

describe("availableMemory", () => {
  it("is the machine's where nothing limits it, and unknown where nothing tells", () => {
    expect(memoryWith(MACHINE)).toBe(8000 * 1024);
    expect(memoryWith({})).toBeNull();
  });

  it("is what a cgroup v2 leaves, page cache not counted as used", () => {
    const files = {
      ...MACHINE,
      "/proc/self/cgroup": "0::/pod/container\n",
      "/sys/fs/cgroup/pod/memory.max": "5000000\n",
      "/sys/fs/cgroup/pod/memory.current": "4000000\n",
      "/sys/fs/cgroup/pod/memory.stat": "anon 1\nfile 900000\nactive_file 200000\ninactive_file 300000\n",
      "/sys/fs/cgroup/pod/container/memory.max": "max\n",
      "/sys/fs/cgroup/pod/container/memory.current": "4000000\n",
    };
    expect(memoryWith(files)).toBe(1_500_000);
    expect(memoryWith({ ...files, "/sys/fs/cgroup/pod/memory.max": "max\n" })).toBe(8000 * 1024);
    expect(memoryWith({ ...files, "/sys/fs/cgroup/pod/memory.max": "1000000\n" })).toBe(0);
  });

  it("is what a cgroup v1 leaves", () => {
    expect(
      memoryWith({
        ...MACHINE,
        "/proc/self/cgroup": "4:memory:/docker/4f5e\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "3000000\n",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes": "1000000\n",
        "/sys/fs/cgroup/memory/memory.stat": "inactive_file 5\ntotal_inactive_file 100\n",
      }),
    ).toBe(2_000_100);
  });

  it("is at most this machine's", () => {
    if (process.platform === "linux") expect(availableMemory()).toBeGreaterThan(0);
  });
});

describe("processMemory", () => {
  it("is the proportional set size, or else the resident size, or else unknown", async () => {
    const files: Record<string, string> = {
      "/proc/7/smaps_rollup":
        "55d0-7ffc ---p 00000000 00:00 0  [rollup]\nRss:      300 kB\nPss:      200 kB\nPss_Anon:   1 kB\n",
      "/proc/7/status": "Name:\tnode\nVmRSS:\t     300 kB\n",
    };
    const memory = (): Promise<number | null> => processMemory(7, async (path) => files[path] ?? null);
    expect(await memory()).toBe(200 * 1024);
    delete files["/proc/7/smaps_rollup"];
    expect(await memory()).toBe(300 * 1024);
    delete files["/proc/7/status"];
    expect(await memory()).toBeNull();
  });
});

describe("requireMemory", () => {
  it("refuses what needs more than there is", () => {
    expect(() => requireMemory("Model m", 4_600_000_000, 2_000_000_000)).toThrow(
      "Model m needs about 4.6 GB of memory, and 2.0 GB are available: free some",
    );
    requireMemory("Model m", 4_600_000_000, 4_600_000_000);
    requireMemory("Model m", 4_600_000_000, null);
  });
});
