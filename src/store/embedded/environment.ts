import { randomInt } from "node:crypto";
import { type Database, open } from "lmdb";
import { AssayError } from "../../errors.js";
import { corrupt } from "../codec/bytes.js";

/** Layout of the directory as a whole; each record carries its own version beside it. */
const FORMAT = "1";
const FORMAT_KEY = Buffer.from("format");

export type Table = Database<Buffer, Buffer>;

/** The LMDB environment of one data directory and its databases; keys are bytes, compared as bytes. */
export interface Environment {
  /** Singletons by name: format, digest key, clock of the outputs. Each write gives the entry a new version. */
  readonly singletons: Table;
  /** Name → entry of the dataset. Each write gives it a new version. */
  readonly datasets: Table;
  /** Incarnation and shape number → text of the shape. */
  readonly shapes: Table;
  /** Incarnation and id → stored sample. */
  readonly samples: Table;
  /** Incarnations of deleted datasets whose samples are still to be removed. */
  readonly doomed: Table;
  /** Name → direction and the file of its vector. Each write gives the entry a new version. */
  readonly directions: Table;
  /** The two generations of outputs: content key → outputs. */
  readonly outputs: readonly [Table, Table];
  /**
   * Begins a new view: reads see what any process has committed before, and one state until the event loop turns.
   * Without it lmdb goes on with its view of up to a millisecond ago.
   */
  refresh(): void;
  close(): Promise<void>;
}

/**
 * Opens or makes the environment. A commit is on disk when its promise resolves (`overlappingSync` would resolve before
 * that). Writes run on LMDB's own thread; `ifVersion` makes them depend on what was read, in this process and in any other
 * that has the directory open. Callback transactions are not used: with lmdb 3.5 their callback was never called on a
 * machine where everything else worked.
 * @throws AssayError `store_unavailable` when the directory cannot be used, `store_corrupt` for another format
 */
export async function openEnvironment(directory: string): Promise<Environment> {
  const root = attempt(directory, () =>
    open({ path: directory, noSubdir: false, overlappingSync: false, maxDbs: 12 }),
  );
  const table = (name: string, useVersions = false): Table =>
    attempt(directory, () =>
      root.openDB<Buffer, Buffer>(name, { keyEncoding: "binary", encoding: "binary", useVersions }),
    );
  const environment: Environment = {
    singletons: table("singletons", true),
    datasets: table("datasets", true),
    shapes: table("shapes"),
    samples: table("samples"),
    doomed: table("doomed"),
    directions: table("directions", true),
    outputs: [table("outputs0"), table("outputs1")],
    refresh: () => root.resetReadTxn(),
    close: () => root.close(),
  };
  const format = await putOnce(environment.singletons, FORMAT_KEY, Buffer.from(FORMAT));
  if (format.toString() !== FORMAT) {
    await environment.close();
    throw corrupt(`${directory} has format ${format.toString()}, this version reads ${FORMAT}`);
  }
  return environment;
}

/** Keeps `value` under `key` unless there is one already; returns the one that is kept. */
export async function putOnce(table: Table, key: Buffer, value: Buffer): Promise<Buffer> {
  await putIf(table, key, null, () => table.put(key, value, freshVersion()));
  return table.get(key) ?? value;
}

/**
 * Does the writes of `action` together if the entry still has the version that was read (null: there was none).
 * False when it has not; then nothing was written.
 */
export function putIf(
  table: Table,
  key: Buffer,
  version: number | null,
  action: () => unknown,
): Promise<boolean> {
  return committed(version === null ? table.ifNoExists(key, action) : table.ifVersion(key, version, action));
}

/** A version that no entry had before, so that an entry that was deleted and made again is not taken for the old one. */
export function freshVersion(): number {
  return randomInt(1, 2 ** 48 - 1);
}

/** Waits for a commit; false when its condition did not hold. */
export async function committed(commit: Promise<boolean>): Promise<boolean> {
  try {
    return await commit;
  } catch (error) {
    throw unavailable(await commitError(error));
  }
}

/** lmdb rejects with a general error that carries a promise of the cause. */
async function commitError(error: unknown): Promise<unknown> {
  const { commitError: cause } = error as { commitError?: Promise<never> };
  return cause === undefined ? error : cause.catch((reason: unknown) => reason);
}

export function unavailable(cause: unknown): AssayError {
  const detail = `The embedded store failed: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new AssayError("store_unavailable", { detail, cause });
}

function attempt<T>(directory: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AssayError("store_unavailable", {
      detail: `The data directory ${directory} cannot be used: ${reason}`,
      cause,
    });
  }
}
