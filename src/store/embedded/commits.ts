import { statSync } from "node:fs";
import { join } from "node:path";
import { AssayError } from "../../errors.js";
import { inTime } from "../in-time.js";
import { explain, isFull, probeRoom, unavailable } from "./disk.js";

/** Without a commit for this long while one waits, the store is not ready. */
const READY_MS = 2000;
/** A commit this long ago shows that the next one can be done; without one it is tried no more often. */
const CHECK_MS = 1000;

/** Hands writes to LMDB's thread and keeps account of what becomes of them. */
export interface Commits {
  /**
   * Waits until the writes that `start` hands over are on disk; false when their condition did not hold. Throws `store_full`
   * where there is no room, `store_unavailable` for other faults of the disk and where nothing was committed in time: then
   * the writes may still be done later, see `isUndecided`.
   */
  commit(start: () => Promise<boolean>): Promise<boolean>;
  /** Throws what keeps writes from being done, within two seconds; writes something itself where nothing was written lately. */
  check(): Promise<void>;
  /** Nothing is waiting to be committed. */
  isIdle(): boolean;
}

/** The cause of an error after which the writes may yet be done. */
class Undecided extends Error {}

/** Whether writes that failed with this error may still be done later: what they name must not be taken away. */
export function isUndecided(error: unknown): boolean {
  return error instanceof AssayError && error.cause instanceof Undecided;
}

/** Writes by which to see whether writes can be done, and how large ones. */
export interface TrialWrites {
  /** Something small. */
  small(): Promise<boolean>;
  /** As much as a small batch of samples, in as many records: it needs room, be it new or what deletions left. */
  large(): Promise<boolean>;
  /** Removes what `large` wrote. */
  undo(): Promise<boolean>;
}

/**
 * @param directory folder of the environment, open already
 * @param timeoutMs a commit that takes longer fails, and while none has been done for so long others are refused at once, so
 * that what waits does not grow
 */
export function openCommits(directory: string, timeoutMs: number, trial: TrialWrites): Commits {
  const file = join(directory, "data.mdb");
  const ino = inodeOf(file);
  let waiting = 0;
  /** When a commit was last decided, or began to wait while no other did. */
  let progressAtMs = 0;
  let committedAtMs = Number.NEGATIVE_INFINITY;
  /** What the last commit failed with; null once one is done again. */
  let failure: AssayError | null = null;
  /** A small write tells nothing on a full disk: LMDB finds a page for it among those that it had before. */
  let isRoomKnown = false;
  let checking: Promise<void> | null = null;
  let checkedAtMs = Number.NEGATIVE_INFINITY;

  const stalledMs = (): number => (waiting === 0 ? 0 : performance.now() - progressAtMs);

  function stalled(ms: number): AssayError {
    return unavailable(
      new Undecided(
        `no write was done for ${Math.round(ms)} ms. Another process that has the data directory open may hold its lock, or the disk hangs`,
      ),
    );
  }

  /**
   * A folder that was removed takes writes as before, and with the process they are gone. Synchronous: the answer comes from the
   * system's memory in some microseconds, and a way through Node's thread pool would slow small commits by a quarter.
   */
  function checkFolder(): void {
    if (inodeOf(file) === ino) return;
    throw unavailable(
      new Error("the data directory was removed or replaced while it was open: restart Assay"),
    );
  }

  /** Why a commit failed. LMDB reports a write of which the disk took a part as an I/O error. */
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

/** Undefined where the file is missing. */
function inodeOf(file: string): number | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false })?.ino;
  } catch (error) {
    throw explain(error);
  }
}

/** lmdb rejects with a general error that carries a promise of the cause. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  return commitError === undefined ? error : commitError.catch((reason: unknown) => reason);
}
