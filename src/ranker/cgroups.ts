import { readFileSync } from "node:fs";
import { posix } from "node:path";

/** A file's text; null if it cannot be read. */
export type ReadText = (path: string) => string | null;

/** Null for every failure. If no file gives a limit (another system, a controller that is off), no limit is known. */
export function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/** Where Linux mounts the cgroup file systems. */
const CGROUP_ROOT = "/sys/fs/cgroup";

/** The folders of the cgroups that limit this process, by the version of their files. A cgroup comes before those above it. */
export interface CgroupFolders {
  readonly v2: readonly string[];
  readonly v1: readonly string[];
}

/** The folders for a controller (`cpu`, `memory`). A limit of each of them applies. */
export function cgroupFolders(read: ReadText, controller: string): CgroupFolders {
  const { unified, legacy } = parseCgroups(read("/proc/self/cgroup") ?? "", controller);
  const mounts = legacy === null ? [] : [...new Set([controller, legacy.controllers])];
  return {
    v2: unified === null ? [] : withAncestors(CGROUP_ROOT, unified),
    v1: mounts.flatMap((mount) => withAncestors(`${CGROUP_ROOT}/${mount}`, legacy?.path ?? "/")),
  };
}

export interface Cgroups {
  /** Path in the cgroup v2 hierarchy. */
  readonly unified: string | null;
  /** Path in the v1 hierarchy of the controller, and that hierarchy's name: `cpu` or `cpu,cpuacct`. */
  readonly legacy: { readonly path: string; readonly controllers: string } | null;
}

/** Reads /proc/self/cgroup: lines of `hierarchy:controllers:path`. The line of v2 begins with `0::`. */
export function parseCgroups(text: string, controller: string): Cgroups {
  let unified: Cgroups["unified"] = null;
  let legacy: Cgroups["legacy"] = null;
  for (const line of text.split("\n")) {
    const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    if (hierarchy === "0" && controllers === "") unified = path;
    if (controllers.split(",").includes(controller)) legacy = { path, controllers };
  }
  return { unified, legacy };
}

/**
 * The folder of a cgroup and all folders above it up to the mount. In a container without a cgroup namespace the path is the
 * host's, but the mount shows only the container's own folder. Then the lower folders do not exist, and the files of the mount
 * apply. `/../x` is a cgroup outside of the namespace; its files are not visible.
 */
function withAncestors(mount: string, path: string): string[] {
  const folders = [mount];
  for (const name of posix.normalize(path).split("/").filter(Boolean)) {
    folders.push(`${folders.at(-1)}/${name}`);
  }
  return folders.reverse();
}
