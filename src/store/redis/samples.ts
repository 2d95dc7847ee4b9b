import { randomBytes } from "node:crypto";
import { encodeSample } from "../codec/sample.js";
import { parseShape, shapeText } from "../codec/shape.js";
import type { ColumnPlace } from "../codec/snapshot.js";
import { decodeIntoColumns, decodeStored, type NumberedSample } from "../codec/stored.js";
import type { Lifetime } from "../lifetime.js";
import { lookUpInChunks, type ReadChunk, type SampleView, withWeights } from "../look-up.js";
import type { MergeRecords, SampleRecord, SampleStore } from "../port.js";
import { scannedSamples } from "../scanned.js";
import { droppedSnapshot, snapshotToRead } from "../snapshot-to-read.js";
import type { LoadChunks, WeightColumns } from "../weight-columns.js";
import type { Argument, Connection } from "./connection.js";
import type { DatasetKeys } from "./datasets.js";
import type { Format } from "./format.js";
import { bucketOf, datasetKey, incarnationKey, usedBuckets } from "./keys.js";
import { packBucketsAndIds } from "./packed.js";
import { readPackedList } from "./packed-list.js";
import { bytes, listOf, orNull } from "./reply.js";
import { DELETE_SAMPLE, READ_BUCKETS, READ_SAMPLES, WRITE_SAMPLES } from "./scripts.js";

/** About as many samples as one script of a scan reads. It is limited, because Redis does nothing else during a script. */
const CHUNK = 1000;

/** Some samples of a dataset in their stored form, and the state that is needed to decode them, both of the same moment. */
interface StoredView extends SampleView {
  /** A packed list. */
  readonly stored: Buffer;
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
}

/** Samples in the buckets of their dataset's incarnation. */
export function openSamples(
  connection: Connection,
  prefix: string,
  { datasets, weightColumns, format }: SamplesNeeds,
  { run }: Lifetime,
): SampleStore {
  const keyOf = (dataset: string): string => datasetKey(prefix, dataset);

  /** Reads samples; null if there is no such dataset. */
  async function readView(
    dataset: string,
    ids: readonly string[],
    version?: number,
  ): Promise<StoredView | null> {
    const args = packBucketsAndIds(ids);
    for (;;) {
      const found = await connection.runPacked(READ_SAMPLES, keyOf(dataset), args);
      if (found === null) return null;
      const { incarnation, snapshots, stored } = found;
      const shapes = await datasets.shapes(dataset, incarnation, found.shapes);
      // If the shapes are gone, the dataset was deleted between the two commands: look again.
      if (shapes === null) continue;
      const snapshot = snapshotToRead(dataset, snapshots, version);
      return { incarnation, stored, shapes, snapshot, loadChunks: loaderOf(dataset, incarnation) };
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
    const view = await readView(dataset, ids, version);
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

  /** Writes the records. If `merge` has a say, tries again until it has seen all that is replaced. */
  async function write(
    dataset: string,
    fresh: ReadonlyMap<string, SampleRecord>,
    merge: MergeRecords | undefined,
  ): Promise<void> {
    const olds = new Map<string, OldSample>();
    for (;;) {
      const { order, args } = packSamples(fresh, olds, merge);
      const { incarnation, differing } = await connection.run(WRITE_SAMPLES, keyOf(dataset), args);
      if (differing === null) return datasets.index(dataset, incarnation);
      const shapes = await datasets.shapes(dataset, incarnation, differing.shapes);
      if (shapes === null) {
        olds.clear(); // the dataset was deleted in the meantime
        continue;
      }
      readPackedList(differing.stored, (index, from, to) => {
        const id = order[index] as string;
        if (from === to) olds.delete(id);
        else {
          const stored = Buffer.from(differing.stored.subarray(from, to));
          const { record } = decodeStored(stored, (number) => shapes[number], null);
          olds.set(id, { stored, record });
        }
      });
    }
  }

  /** Finds the buckets of a dataset and the snapshot of this version; null if there is no such dataset. */
  async function beginScan(dataset: string, version: number | undefined): Promise<ScanStart | null> {
    const weighed = version === undefined ? null : await readView(dataset, [], version);
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
    writeSamples: (dataset, entries, merge) =>
      run(async () => {
        if (entries.length === 0) return;
        await format.requireWritable();
        // If an id occurs twice, the last entry counts.
        await write(dataset, new Map(entries.map(({ id, record }) => [id, record])), merge);
      }),

    lookUp: (dataset, ids, version) =>
      run(() => lookUpInChunks(ids, weightColumns, (chunk) => readChunk(dataset, chunk, version))),

    readSamples: (dataset, ids) =>
      run(async () => {
        for (;;) {
          const view = await readView(dataset, ids);
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
        return (await connection.run(DELETE_SAMPLE, keyOf(dataset), [bucketOf(id), id])) === 1;
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

/** A sample that is to be replaced. */
interface OldSample {
  readonly stored: Buffer;
  readonly record: SampleRecord;
}

/** The arguments of `WRITE_SAMPLES`, grouped by shape, and the ids in the order of the arguments. */
function packSamples(
  fresh: ReadonlyMap<string, SampleRecord>,
  olds: ReadonlyMap<string, OldSample>,
  merge: MergeRecords | undefined,
): { order: readonly string[]; args: Argument[] } {
  const byShape = new Map<string, { readonly ids: string[]; readonly args: Argument[] }>();
  const signalsOf = new Map<string, readonly string[]>();
  for (const [id, record] of fresh) {
    const old = olds.get(id);
    const kept = old === undefined || merge === undefined ? record : merge(old.record, record);
    const text = shapeText(kept);
    const signals = signalsOf.get(text) ?? parseShape(text).signals;
    signalsOf.set(text, signals);
    const group = byShape.get(text) ?? { ids: [], args: [] };
    byShape.set(text, group);
    group.ids.push(id);
    group.args.push(bucketOf(id), id, old?.stored ?? "", encodeSample(kept, signals));
  }
  const order: string[] = [];
  const args: Argument[] = [randomBytes(6).toString("base64url"), merge === undefined ? 0 : 1];
  for (const [text, group] of byShape) {
    args.push(text, group.ids.length);
    for (const id of group.ids) order.push(id);
    for (const arg of group.args) args.push(arg);
  }
  return { order, args };
}
