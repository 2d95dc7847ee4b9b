import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Database, open } from "lmdb";
import { AssayError } from "../../errors.js";
import { FORMAT, requireReadable, requireWritable } from "../format.js";
import { openCommits, type TrialWrites } from "./commits.js";
import { DATA_FILE, explain } from "./disk.js";

const FORMAT_KEY = Buffer.from("format");
/** Keys that are written to find out whether writes succeed: see `TrialWrites`. */
const TRIAL_KEY = Buffer.from("trial");
const TRIAL_BATCH = Array.from({ length: 64 }, (_, index) => Buffer.from(`trial ${index}`));
const TRIAL_BATCH_BYTES = 2000;

export type Table = Database<Buffer, Buffer>;

/** The LMDB environment of one data directory and its databases. Keys are bytes and are compared as bytes. */
export interface Environment {
  /** Singletons by name: format, digest key, clock of the outputs. Each write gives the entry a new version. */
  readonly singletons: Table;
  /** Name → entry of the dataset. Each write gives it a new version. */
  readonly datasets: Table;
  /** Incarnation and shape number → text of the shape. */
  readonly shapes: Table;
  /** Incarnation and id → stored sample. */
  readonly samples: Table;
  /** Incarnation, column and chunk → weights by sample number. Column 0 has the bits of deleted numbers. */
  readonly columns: Table;
  /** Incarnation and digest of the key → done request. */
  readonly answers: Table;
  /** Incarnation and sample number → history. */
  readonly histories: Table;
  /** Life of a dataset's embeddings and sample number → embedding. */
  readonly embeddings: Table;
  /** Incarnations of deleted datasets, and lives of embeddings, whose entries have not all been removed yet. */
  readonly doomed: Table;
  /** Name → direction and the file of its vector. Each write gives the entry a new version. */
  readonly directions: Table;
  /** The two generations of outputs: content key → outputs. */
  readonly outputs: readonly [Table, Table];
  /**
   * Begins a new view. Reads then see everything that any process has committed before, and the same state until the event loop
   * turns. Without this call lmdb uses a view that may be a millisecond old.
   */
  refresh(): void;
  /**
   * Does the writes of `action` together if the entry still has the version that was read (null: there was no entry). Answers
   * false if it has another version; then nothing was written. Throws as `Commits.commit` does, like all writes.
   */
  putIf(table: Table, key: Buffer, version: number | null, action: () => unknown): Promise<boolean>;
  /** Does the writes of `action` together. */
  batch(table: Table, action: () => unknown): Promise<void>;
  /** Keeps `value` under `key` unless there is a value already. Returns the value that is kept. */
  putOnce(table: Table, key: Buffer, value: Buffer): Promise<Buffer>;
  /** See `Commits.check`. */
  checkWrites(): Promise<void>;
  /** The format of the directory: see `store/format.ts`. It is read again each time, because another process may upgrade it. */
  format(): string;
  /** Sets the format. */
  setFormat(format: string): Promise<void>;
  /** Throws `store_outdated` if the directory has the format of an earlier version, which this version only reads. */
  requireFormat(): void;
  /** Closes the environment. If writes still hang in LMDB's thread, does not wait for them: they end with the process. */
  close(): Promise<void>;
}

/**
 * Opens or makes the environment. A commit is on disk when its promise resolves; with `overlappingSync` it would resolve earlier.
 * Writes run on LMDB's own thread. `ifVersion` makes them depend on what was read, in this process and in every other process
 * that has the directory open. Callback transactions are not used, because with lmdb 3.5 their callback was never called on a
 * machine on which everything else worked. Writes of one turn of the event loop are not collected (`eventTurnBatching`), because
 * lmdb makes a promise for them that nobody gets, and rejects it if the commit fails. That would end the process.
 *
 * @param timeoutMs see `openCommits`
 * @param upgrading whether `assay upgrade` opens it, which writes in any format
 * @throws AssayError `store_unavailable` or `store_full` if the directory cannot be used,
 *   `store_newer` if a later version wrote it, `store_outdated` if an upgrade of it has not ended
 */
export async function openEnvironment(
  directory: string,
  { timeoutMs, upgrading }: { readonly timeoutMs: number; readonly upgrading: boolean },
): Promise<Environment> {
  if (upgrading && !existsSync(join(directory, DATA_FILE)))
    throw new AssayError("store_unavailable", {
      detail: `There is no store in ${directory}: name the folder of the store to upgrade`,
    });
  const root = attempt(directory, () =>
    open({
      path: directory,
      noSubdir: false,
      overlappingSync: false,
      eventTurnBatching: false,
      maxDbs: 32,
    }),
  );
  const table = (name: string, useVersions = false): Table =>
    attempt(directory, () =>
      root.openDB<Buffer, Buffer>(name, { keyEncoding: "binary", encoding: "binary", useVersions }),
    );
  const singletons = table("singletons", true);
  const { commit, check, isIdle } = openCommits(directory, timeoutMs, trialWrites(singletons));
  const putIf: Environment["putIf"] = (to, key, version, action) =>
    commit(() => (version === null ? to.ifNoExists(key, action) : to.ifVersion(key, version, action)));
  /** Whether the directory is known to have the present format, which it then keeps. */
  let current = false;
  function readFormat(): string {
    root.resetReadTxn();
    return singletons.get(FORMAT_KEY)?.toString() ?? "";
  }

  const environment: Environment = {
    singletons,
    datasets: table("datasets", true),
    shapes: table("shapes"),
    samples: table("samples"),
    columns: table("columns"),
    answers: table("answers"),
    histories: table("histories"),
    embeddings: table("embeddings"),
    doomed: table("doomed"),
    directions: table("directions", true),
    outputs: [table("outputs0"), table("outputs1")],
    refresh: () => root.resetReadTxn(),
    putIf,
    async batch(to, action) {
      await commit(() => to.batch(action));
    },
    async putOnce(to, key, value) {
      const kept = to.get(key);
      if (kept !== undefined) return kept;
      await putIf(to, key, null, () => to.put(key, value, freshVersion()));
      return to.get(key) ?? value;
    },
    checkWrites: check,
    format: () => (current ? FORMAT : readFormat()),
    async setFormat(format) {
      await environment.batch(singletons, () =>
        singletons.put(FORMAT_KEY, Buffer.from(format), freshVersion()),
      );
    },
    requireFormat() {
      if (current || upgrading) return;
      requireWritable(readFormat(), `the data directory ${directory}`);
      current = true;
    },
    async close() {
      if (isIdle()) await root.close();
      // A normal exit waits for all threads, and one of them waits for the lock of another process: kill the process instead.
      else process.once("exit", () => process.kill(process.pid, "SIGKILL"));
    },
  };
  await environment.putOnce(singletons, FORMAT_KEY, Buffer.from(FORMAT));
  try {
    if (!upgrading) requireReadable(readFormat(), `the data directory ${directory}`);
  } catch (error) {
    await environment.close();
    throw error;
  }
  return environment;
}

/** A new random version, so that an entry that was deleted and made again is not taken for the old one. */
export function freshVersion(): number {
  return randomInt(1, 2 ** 48 - 1);
}

function trialWrites(table: Table): TrialWrites {
  return {
    small: () => table.put(TRIAL_KEY, Buffer.from(String(Date.now())), freshVersion()),
    large: () =>
      table.batch(() => {
        for (const key of TRIAL_BATCH) table.put(key, Buffer.alloc(TRIAL_BATCH_BYTES), freshVersion());
      }),
    undo: () =>
      table.batch(() => {
        for (const key of TRIAL_BATCH) table.remove(key);
      }),
  };
}

function attempt<T>(directory: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const { code, message } = explain(cause);
    throw new AssayError(code, {
      detail: `The data directory ${directory} cannot be used: ${message}`,
      cause,
    });
  }
}
