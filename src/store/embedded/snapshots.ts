import { snapshotInfo } from "../codec/snapshot.js";
import type { DatasetWeights, DoneRequest, SnapshotStore } from "../dataset-port.js";
import { datasetNotFound, type Lifetime } from "../lifetime.js";
import { openTurns } from "../turns.js";
import { LATER_CHUNK } from "../weight-columns.js";
import {
  ABANDONED_AFTER_MS,
  formatDone,
  parseDone,
  SNAPSHOTS_KEPT,
  type SnapshotWriter,
  sameRequest,
  writeSnapshot,
} from "../write-snapshot.js";
import { columnKey, DELETED_COLUMN, DELETED_ENTRIES } from "./column-key.js";
import type { Change, CountedEntry, DatasetEntries } from "./dataset-entries.js";
import { type DatasetEntry, newestSnapshot } from "./dataset-entry.js";
import type { Environment } from "./environment.js";
import { after } from "./sample-key.js";

/** Writes a snapshot's weights as a column while readers still see the newest one, and then replaces that one. */
export function openSnapshots(
  environment: Pick<Environment, "columns" | "answers" | "batch">,
  datasets: DatasetEntries,
  { run }: Lifetime,
): SnapshotStore {
  const { columns, answers } = environment;
  const turns = openTurns();

  function readDone(entry: DatasetEntry, key: string): DoneRequest | null {
    const bytes = answers.get(answerKey(entry, key));
    return bytes === undefined ? null : parseDone(bytes.toString());
  }

  /** A change of the dataset in the life to which the weights belong. */
  async function changeLife<T extends NonNullable<unknown>>(
    dataset: string,
    incarnation: string,
    plan: (entry: CountedEntry) => Change<T>,
  ): Promise<T> {
    const done = await datasets.change(dataset, (entry) =>
      entry?.incarnation.toString("hex") === incarnation ? plan(entry) : null,
    );
    if (done === null) throw datasetNotFound(dataset);
    return done;
  }

  async function beginColumn(dataset: string, { incarnation }: DatasetWeights): Promise<SnapshotWriter> {
    const life = Buffer.from(incarnation, "hex");
    const column = await changeLife(dataset, incarnation, (entry) => {
      const id = entry.columns + 1;
      const pending = [...entry.pending, { id, begunAtMs: Date.now() }];
      return { entry: { ...entry, columns: id, pending }, write: () => {}, result: id };
    });

    return {
      column,

      writeChunks: (chunks) =>
        environment.batch(columns, () => {
          for (const { chunk, bytes } of chunks)
            columns.put(columnKey({ incarnation: life }, column, chunk), bytes);
        }),

      async readDeleted() {
        const entry = datasets.read(dataset);
        if (entry?.incarnation.toString("hex") !== incarnation) throw datasetNotFound(dataset);
        const bits = Buffer.alloc(Math.ceil(entry.numbers / 8));
        if (entry.deletions > 0)
          for (let chunk = 0; chunk * DELETED_ENTRIES < entry.numbers; chunk++)
            columns.get(columnKey(entry, DELETED_COLUMN, chunk))?.copy(bits, (chunk * DELETED_ENTRIES) / 8);
        return { deletions: entry.deletions, bits };
      },

      async publish(snapshot, deletions, request) {
        const { published } = await changeLife<Published>(dataset, incarnation, (entry) => {
          const unchanged = (published: DoneRequest | null) => ({
            entry,
            write: () => {},
            result: { published },
          });
          const done = request && readDone(entry, request.key);
          if (done) return unchanged(done);
          if (entry.deletions !== deletions) return unchanged(null);
          const version = (newestSnapshot(entry)?.version ?? 0) + 1;
          const all = [...entry.snapshots, { version, ...snapshot }];
          const kept = all.slice(-SNAPSHOTS_KEPT);
          const others = entry.pending.filter(({ id }) => id !== column);
          const pending = others.filter(({ begunAtMs }) => Date.now() - begunAtMs < ABANDONED_AFTER_MS);
          const dropped = [
            ...all.slice(0, -SNAPSHOTS_KEPT).map((each) => each.column?.id ?? 0),
            ...others.filter((each) => !pending.includes(each)).map(({ id }) => id),
          ].filter((id) => id > 0);
          const outdated = [...answers.getRange({ start: life, end: after(life) })]
            .filter(({ value }) => parseDone(value.toString()) === null)
            .map(({ key }) => key);
          return {
            entry: { ...entry, snapshots: kept, pending },
            write: () => {
              if (request !== undefined) {
                const text = `${version} ${formatDone(request, snapshot)}`;
                answers.put(answerKey(entry, request.key), Buffer.from(text));
              }
              for (const key of outdated) answers.remove(key);
              for (const id of dropped) {
                const range = { start: columnKey(entry, id, 0), end: columnKey(entry, id + 1, 0) };
                for (const key of [...columns.getKeys(range)]) columns.remove(key);
              }
            },
            result: { published: version },
          };
        });
        return published;
      },
    };
  }

  return {
    writeSnapshot: (dataset, weights, provenance, request) =>
      run(() =>
        turns.take(dataset, async () =>
          writeSnapshot(await beginColumn(dataset, weights), weights, provenance, request),
        ),
      ),

    readDoneRequest: (dataset, { key, body }) =>
      run(() => {
        const entry = datasets.read(dataset);
        const done = entry && readDone(entry, key);
        return done && sameRequest(done, { body });
      }),

    readLater: (dataset, version) =>
      run(() => {
        const entry = datasets.read(dataset);
        const column = entry?.snapshots.find((each) => each.version === version)?.column;
        if (entry === null || column === undefined) return null;
        return columns.get(columnKey(entry, column.id, LATER_CHUNK))?.toString() ?? null;
      }),

    listSnapshots: (dataset) =>
      run(() => datasets.read(dataset)?.snapshots.map(snapshotInfo).toReversed() ?? null),
  };
}

/** See `SnapshotWriter.publish`. */
interface Published {
  readonly published: number | DoneRequest | null;
}

/** Key of a done request: incarnation and the digest of its key. */
function answerKey({ incarnation }: DatasetEntry, key: string): Buffer {
  return Buffer.concat([incarnation, Buffer.from(key, "hex")]);
}
