import { statSync } from "node:fs";
import { join } from "node:path";
import { AssayError } from "../../errors.js";
import { inTime } from "../in-time.js";
import { DATA_FILE, explain, isFull, probeRoom, unavailable } from "./disk.js";

/** The store is not ready if a commit waits and none has finished for this long. */
const READY_MS = 2000;
/** A commit within this time shows that writes succeed. Trial writes are made at most this often. */
const CHECK_MS = 1000;

/** Passes writes to LMDB's thread and tracks their results. */
export interface Commits {
  /**
   * Waits until the writes that `start` begins are on disk. Answers false if their condition did not hold. Throws `store_full` if
   * the disk has no room, and `store_unavailable` for other faults of the disk or if nothing was committed in time. In the last
   * case the writes may still be done later: see `isUndecided`.
   */
  commit(start: () => Promise<boolean>): Promise<boolean>;
  /** Throws the reason if writes fail, within two seconds. Makes a trial write if nothing was written recently. */
  check(): Promise<void>;
  /** Whether no write waits for its commit. */
  isIdle(): boolean;
}

/** The cause of an error after which the writes may still be done. */
class Undecided extends Error {}

/** Whether writes that failed with this error may still be done later. Do not remove what they refer to. */
export function isUndecided(error: unknown): boolean {
  return error instanceof AssayError && error.cause instanceof Undecided;
}

/** Trial writes, which show whether writes succeed. */
export interface TrialWrites {
  /** Writes one small record. */
  small(): Promise<boolean>;
  /** Writes as many bytes and records as a small batch of samples. It needs room, new room or room that deletions have freed. */
  large(): Promise<boolean>;
  /** Removes what `large` wrote. */
  undo(): Promise<boolean>;
}

/**
 * @param directory folder of the environment, which is open already
 * @param timeoutMs a commit that takes longer fails. While no commit has finished for this long, others are refused at once, so
 * that the queue does not grow
 */
export function openCommits(directory: string, timeoutMs: number, trial: TrialWrites): Commits {
  const file = join(directory, DATA_FILE);
  const ino = inodeOf(file);
  let waiting = 0;
  /** When a commit last succeeded or failed, or began to wait while no other one waited. */
  let progressAtMs = 0;
  let committedAtMs = Number.NEGATIVE_INFINITY;
  /** The error of the last commit; null if it succeeded. */
  let failure: AssayError | null = null;
  /** Whether a large write has succeeded. A small write proves nothing on a full disk, because LMDB finds an old page for it. */
  let isRoomKnown = false;
  let checking: Promise<void> | null = null;
  let checkedAtMs = Number.NEGATIVE_INFINITY;

  const stalledMs = (): number => (waiting === 0 ? 0 : performance.now() - progressAtMs);

  function stalled(ms: number): AssayError {
    return unavailable(
      new Undecided(
        `no write finished for ${Math.round(ms)} ms. The disk may hang, or another process that has the data directory open may hold its lock`,
      ),
    );
  }

  /**
   * Throws if the folder was removed. Writes to a removed folder still succeed, but are lost when the process ends. The check is
   * synchronous: the system answers from memory in some microseconds, and Node's thread pool would slow small commits by a
   * quarter.
   */
  function checkFolder(): void {
    if (inodeOf(file) === ino) return;
    throw unavailable(
      new Error("the data directory was removed or replaced while it was open: restart Assay"),
    );
  }

  /** Why a commit failed. If the disk took only a part of a write, LMDB reports an I/O error, so the room is probed. */
  async function reasonOf(cause: unknown): Promise<AssayError> {
    const error = explain(cause);
    if (isFull(error)) return error;
    return probeRoom(directory).then(
      () => error,
      (reason: unknown) => {
        const found = explain(reason);
        return isFull(found) ? found : error;
      },
    );
  }

  async function commit(start: () => Promise<boolean>): Promise<boolean> {
    if (stalledMs() > timeoutMs) throw stalled(stalledMs());
    checkFolder();
    if (waiting++ === 0) progressAtMs = performance.now();
    return inTime(decide(start), timeoutMs, () => stalled(timeoutMs));
  }

  async function decide(start: () => Promise<boolean>): Promise<boolean> {
    try {
      const done = await start();
      committedAtMs = performance.now();
      failure = null;
      return done;
    } catch (error) {
      failure = await reasonOf(await causeOf(error));
      if (isFull(failure)) isRoomKnown = false;
      throw failure;
    } finally {
      waiting--;
      progressAtMs = performance.now();
    }
  }

  async function tryWrites(): Promise<void> {
    if (isRoomKnown) {
      await commit(trial.small);
      return;
    }
    await commit(trial.large);
    await commit(trial.undo);
    isRoomKnown = true;
  }

  return {
    commit,
    async check() {
      const now = performance.now();
      if (stalledMs() > READY_MS) throw stalled(stalledMs());
      if (isRoomKnown && failure === null && now - committedAtMs < CHECK_MS) return;
      if (checking === null) {
        if (failure !== null && now - checkedAtMs < CHECK_MS) throw failure;
        checkedAtMs = now;
        checking = tryWrites().finally(() => {
          checking = null;
        });
      }
      await inTime(checking, READY_MS, () => stalled(READY_MS));
    },
    isIdle: () => waiting === 0,
  };
}

/** The file's inode; undefined if the file is missing. */
function inodeOf(file: string): number | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false })?.ino;
  } catch (error) {
    throw explain(error);
  }
}

/** The cause of a failed commit. lmdb rejects with a general error that has a promise of the cause. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  return commitError === undefined ? error : commitError.catch((reason: unknown) => reason);
}
