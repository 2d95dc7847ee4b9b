import type { ColumnPlace } from "../codec/snapshot.js";
import { decodeIntoColumns, decodeStored, type NumberedSample } from "../codec/stored.js";
import type { HistoryStore, IdForm, SampleStore } from "../dataset-port.js";
import type { Lifetime } from "../lifetime.js";
import { lookUpInChunks, type ReadChunk, type SampleView, withWeights } from "../look-up.js";
import { scannedSamples } from "../scanned.js";
import { droppedSnapshot, snapshotToRead } from "../snapshot-to-read.js";
import type { LoadChunks, WeightColumns } from "../weight-columns.js";
import type { Connection } from "./connection.js";
import type { DatasetKeys } from "./datasets.js";
import type { Format } from "./format.js";
import { readHistories } from "./histories.js";
import { type KeptIds, OTHER_IDS, type SentIds } from "./kept-ids.js";
import { bucketOf, datasetKey, incarnationKey, usedBuckets } from "./keys.js";
import { packBucketsAndIds } from "./packed.js";
import { readPackedList } from "./packed-list.js";
import { bytes, listOf, orNull } from "./reply.js";
import { DELETE_SAMPLE, READ_BUCKETS, READ_SAMPLES } from "./scripts.js";
import { openWriting } from "./write-samples.js";

/** About as many samples as one script of a scan reads. It is limited, because Redis does nothing else during a script. */
const CHUNK = 1000;

/** Some samples of a dataset in their stored form, and the state that is needed to decode them, both of the same moment. */
interface StoredView extends SampleView {
  /** A packed list. */
  readonly stored: Buffer;
  /** Whether the ids were hashed. */
  readonly hashedIds: boolean;
}

/** The buckets in use, and the number of buckets in a chunk. */
interface ScanStart {
  readonly incarnation: string;
  /** The snapshot whose weights the scan reads, with a way to them; null if it reads none. */
  readonly weighed: SampleView | null;
  readonly buckets: readonly number[];
  readonly bucketsPerChunk: number;
}

interface SamplesNeeds {
  readonly datasets: Pick<DatasetKeys, "index" | "shapes">;
  readonly weightColumns: WeightColumns;
  readonly format: Format;
  readonly keptIds: KeptIds;
}

/** Samples in the buckets of their dataset's incarnation. */
export function openSamples(
  connection: Connection,
  prefix: string,
  { datasets, weightColumns, format, keptIds }: SamplesNeeds,
  { run }: Lifetime,
): SampleStore & HistoryStore {
  const keyOf = (dataset: string): string => datasetKey(prefix, dataset);
  const write = openWriting(connection, { datasets, keptIds }, keyOf);
  const histories = readHistories(connection, keyOf, keptIds);

  /** Reads samples; null if there is no such dataset. */
  async function readView(
    dataset: string,
    ids: readonly string[],
    { form, version }: { readonly form?: IdForm | undefined; readonly version?: number | undefined } = {},
  ): Promise<StoredView | null> {
    const read = (sent: SentIds) =>
      connection
        .runPacked(READ_SAMPLES, keyOf(dataset), packBucketsAndIds(ids, sent))
        .then((found) => (found === null || found === OTHER_IDS ? found : { ...found, sent }));
    for (;;) {
      const found = await keptIds.within(dataset, read, form);
      if (found === null) return null;
      const { incarnation, snapshots, stored } = found;
      const shapes = await datasets.shapes(dataset, incarnation, found.shapes);
      // If the shapes are gone, the dataset was deleted between the two commands: look again.
      if (shapes === null) continue;
      const snapshot = snapshotToRead(dataset, snapshots, version);
      const hashedIds = found.sent.expected === "1";
      return { incarnation, stored, shapes, snapshot, hashedIds, loadChunks: loaderOf(dataset, incarnation) };
    }
  }

  function loaderOf(dataset: string, incarnation: string): LoadChunks {
    const keyOfChunk = ({ id }: ColumnPlace, chunk: number): string =>
      incarnationKey(prefix, dataset, incarnation, `w:${id}:${chunk}`);
    return (column, chunks) =>
      connection.send(
        "MGET",
        chunks.map((chunk) => keyOfChunk(column, chunk)),
        listOf(orNull(bytes)),
      );
  }

  async function readChunk(
    dataset: string,
    ids: readonly string[],
    version: number | undefined,
  ): Promise<ReadChunk | null> {
    const view = await readView(dataset, ids, { version });
    if (view === null) return null;
    const { stored } = view;
    return {
      ...view,
      decodeInto: (columns, start) =>
        readPackedList(stored, (index, from, to) =>
          decodeIntoColumns(stored, columns, start + index, from, to),
        ),
    };
  }

  /** Finds the buckets of a dataset and the snapshot of this version; null if there is no such dataset. */
  async function beginScan(dataset: string, version: number | undefined): Promise<ScanStart | null> {
    const weighed = version === undefined ? null : await readView(dataset, [], { form: "kept", version });
    const fields = await connection.send(
      "HMGET",
      [keyOf(dataset), "incarnation", "samples"],
      listOf(orNull(bytes)),
    );
    const [incarnation, samples] = fields.map((field) => field?.toString());
    if (incarnation === undefined) return null;
    if (version !== undefined && weighed?.incarnation !== incarnation)
      throw droppedSnapshot(dataset, version);
    const used = incarnationKey(prefix, dataset, incarnation, "used");
    const buckets = await connection.send("GET", [used], usedBuckets);
    const perBucket = Math.max(1, Number(samples) / Math.max(1, buckets.length));
    return { incarnation, weighed, buckets, bucketsPerChunk: Math.max(1, Math.floor(CHUNK / perBucket)) };
  }

  return {
    writeSamples: (dataset, entries, merge, history) =>
      run(async () => {
        if (entries.length === 0) return { late: 0 };
        await format.requireWritable();
        return write({ dataset, entries, merge, history });
      }),

    readHistories: (dataset, ids, form) => run(() => histories(dataset, ids, form)),

    lookUp: (dataset, ids, version) =>
      run(() => lookUpInChunks(ids, weightColumns, (chunk) => readChunk(dataset, chunk, version))),

    readSamples: (dataset, ids, form) =>
      run(async () => {
        for (;;) {
          const view = await readView(dataset, ids, { form });
          if (view === null) return ids.map(() => null);
          const { shapes, snapshot, stored } = view;
          const found: (NumberedSample | null)[] = ids.map(() => null);
          readPackedList(stored, (index, from, to) => {
            found[index] = decodeStored(stored.subarray(from, to), (number) => shapes[number], snapshot);
          });
          const weighed = await withWeights(found, weightColumns, view);
          if (weighed !== "changed") return weighed;
        }
      }),

    deleteSample: (dataset, id) =>
      run(async () => {
        await format.requireWritable();
        const deleted = await keptIds.within(dataset, ({ expected, keptId }) => {
          const kept = keptId(id);
          return connection.run(DELETE_SAMPLE, keyOf(dataset), [bucketOf(kept), kept, expected]);
        });
        return deleted === 1;
      }),

    async *scanSamples(dataset, version) {
      const start = await run(() => beginScan(dataset, version));
      if (start === null) return;
      const { incarnation, weighed, buckets, bucketsPerChunk } = start;
      const snapshot = weighed?.snapshot ?? null;
      const loadChunks = loaderOf(dataset, incarnation);
      for (let first = 0; first < buckets.length; first += bucketsPerChunk) {
        const chunk = buckets.slice(first, first + bucketsPerChunk);
        const samples = await run(async () => {
          const found = await connection.run(READ_BUCKETS, keyOf(dataset), [incarnation, ...chunk]);
          const shapes = await datasets.shapes(dataset, incarnation, found.shapes);
          if (shapes === null) return null;
          const view = { incarnation, shapes, snapshot, loadChunks };
          const rows = found.samples.map(([id, value]) => ({ id, value }));
          const idOf = ({ id }: { id: Buffer; value: Buffer }): string => id.toString("utf8");
          return scannedSamples(dataset, view, weightColumns, { rows, idOf });
        });
        if (samples !== null && samples.count > 0) yield samples;
      }
    },
  };
}
