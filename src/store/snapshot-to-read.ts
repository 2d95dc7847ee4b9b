import { AssayError } from "../errors.js";
import type { KeptSnapshot } from "./codec/snapshot.js";

/**
 * The snapshot of this version, or the newest one if no version is asked for; null before the first.
 *
 * @param snapshots those that are kept, the oldest first
 * @throws AssayError `snapshot_not_found`
 */
export function snapshotToRead(
  dataset: string,
  snapshots: readonly KeptSnapshot[],
  version: number | undefined,
): KeptSnapshot | null {
  if (version === undefined) return snapshots.at(-1) ?? null;
  const found = snapshots.find((each) => each.version === version);
  if (found !== undefined) return found;
  const kept = snapshots.map((each) => each.version).join(", ") || "none";
  throw new AssayError("snapshot_not_found", {
    detail: `Dataset ${JSON.stringify(dataset)} keeps no snapshot ${version}; the versions that it keeps: ${kept}`,
  });
}

/** The error for a snapshot that newer ones have displaced while its weights were read. */
export function droppedSnapshot(dataset: string, version: number | undefined): AssayError {
  return new AssayError("snapshot_not_found", {
    detail: `Dataset ${JSON.stringify(dataset)} no longer keeps snapshot ${version}: newer ones have displaced it while it was read`,
  });
}
