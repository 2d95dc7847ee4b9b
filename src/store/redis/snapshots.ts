import { snapshotInfo } from "../codec/snapshot.js";
import type { DatasetWeights, SnapshotStore } from "../dataset-port.js";
import { datasetNotFound, type Lifetime } from "../lifetime.js";
import { openTurns } from "../turns.js";
import { chunkCount } from "../weight-columns.js";
import {
  ABANDONED_AFTER_MS,
  ANSWERS_KEPT_MS,
  formatDone,
  parseDone,
  SNAPSHOTS_KEPT,
  type SnapshotWriter,
  sameRequest,
  writeSnapshot,
} from "../write-snapshot.js";
import type { Argument, Connection, Script } from "./connection.js";
import type { Format } from "./format.js";
import { datasetKey } from "./keys.js";
import {
  BEGIN_COLUMN,
  PUBLISH_SNAPSHOT,
  READ_DELETED,
  READ_DONE,
  READ_LATER,
  READ_SNAPSHOTS,
  WRITE_CHUNKS,
} from "./snapshot-scripts.js";

/** Chunks that one script writes: 256 KiB. Redis does nothing else during a script. */
const CHUNKS_PER_SCRIPT = 16;
/** The answer of `PUBLISH_SNAPSHOT` if samples were deleted. */
const DELETED = -1;

/** Writes a snapshot's weights as a column while readers still see the newest one, and then replaces that one. */
export function openSnapshots(
  connection: Connection,
  prefix: string,
  format: Format,
  { run }: Lifetime,
): SnapshotStore {
  const turns = openTurns();

  async function beginColumn(
    dataset: string,
    { incarnation, weights }: DatasetWeights,
  ): Promise<SnapshotWriter> {
    async function inLife<T>(script: Script<T | null>, args: readonly Argument[]): Promise<T> {
      const answer = await connection.run(script, datasetKey(prefix, dataset), [incarnation, ...args]);
      if (answer === null) throw datasetNotFound(dataset);
      return answer;
    }

    const column = await inLife(BEGIN_COLUMN, [chunkCount(weights.length)]);
    return {
      column,

      async writeChunks(chunks) {
        for (let start = 0; start < chunks.length; start += CHUNKS_PER_SCRIPT) {
          const step = chunks.slice(start, start + CHUNKS_PER_SCRIPT);
          await inLife(WRITE_CHUNKS, [column, ...step.flatMap(({ chunk, bytes }) => [chunk, bytes])]);
        }
      },

      readDeleted: () => inLife(READ_DELETED, []),

      async publish(snapshot, deletions, request) {
        const published = await inLife(PUBLISH_SNAPSHOT, [
          deletions,
          column,
          JSON.stringify(snapshot),
          SNAPSHOTS_KEPT,
          Date.now() - ABANDONED_AFTER_MS,
          ...(request === undefined ? [] : [request.key, formatDone(request, snapshot), ANSWERS_KEPT_MS]),
        ]);
        if (typeof published !== "number") return parseDone(published.toString());
        return published === DELETED ? null : published;
      },
    };
  }

  return {
    writeSnapshot: (dataset, weights, provenance, request) =>
      run(() =>
        turns.take(dataset, async () => {
          await format.requireWritable();
          return writeSnapshot(await beginColumn(dataset, weights), weights, provenance, request);
        }),
      ),

    readDoneRequest: (dataset, { key, body }) =>
      run(async () => {
        const stored = await connection.run(READ_DONE, datasetKey(prefix, dataset), [key]);
        const done = stored && parseDone(stored.toString());
        return done && sameRequest(done, { body });
      }),

    readLater: (dataset, version) =>
      run(async () => {
        const later = await connection.run(READ_LATER, datasetKey(prefix, dataset), [version]);
        return later?.toString() ?? null;
      }),

    listSnapshots: (dataset) =>
      run(async () => {
        const kept = await connection.run(READ_SNAPSHOTS, datasetKey(prefix, dataset), []);
        return kept?.map(snapshotInfo).toReversed() ?? null;
      }),
  };
}
