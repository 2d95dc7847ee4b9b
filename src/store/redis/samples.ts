import { randomBytes } from "node:crypto";
import { encodeSample } from "../codec/sample.js";
import { parseShape, type Shape, shapeText } from "../codec/shape.js";
import { decodeIntoColumns, decodeStored } from "../codec/stored.js";
import type { Lifetime } from "../lifetime.js";
import { lookUpInChunks, type ReadChunk, type View } from "../look-up.js";
import type { SampleRecord, SampleStore, StoredSample } from "../port.js";
import type { Argument, Connection } from "./connection.js";
import type { DatasetKeys } from "./datasets.js";
import { bucketOf, datasetKey, incarnationKey, usedBuckets } from "./keys.js";
import { packBucketsAndIds } from "./packed.js";
import { readPackedList } from "./packed-list.js";
import { bytes, listOf, orNull } from "./reply.js";
import type { FoundBuckets } from "./script-replies.js";
import { DELETE_SAMPLE, READ_BUCKETS, READ_SAMPLES, WRITE_SAMPLES } from "./scripts.js";

/** About as many samples as one script of a scan reads. It is limited, because Redis does nothing else during a script. */
const CHUNK = 1000;

/** Some samples of a dataset in their stored form, and the state that is needed to decode them, both of the same moment. */
interface StoredView extends View {
  /** A packed list. */
  readonly stored: Buffer;
}

/** The buckets in use, and the number of buckets in a chunk. */
interface ScanStart {
  readonly incarnation: string;
  readonly buckets: readonly number[];
  readonly bucketsPerChunk: number;
}

/** Samples in the buckets of their dataset's incarnation. */
export function openSamples(
  connection: Connection,
  prefix: string,
  datasets: Pick<DatasetKeys, "index" | "shapes">,
  { run }: Lifetime,
): SampleStore {
  const keyOf = (dataset: string): string => datasetKey(prefix, dataset);

  /** Reads samples; null if there is no such dataset. */
  async function readView(dataset: string, ids: readonly string[]): Promise<StoredView | null> {
    const args = packBucketsAndIds(ids);
    for (;;) {
      const found = await connection.runPacked(READ_SAMPLES, keyOf(dataset), args);
      if (found === null) return null;
      const shapes = await datasets.shapes(dataset, found.incarnation, found.shapes);
      // If the shapes are gone, the dataset was deleted between the two commands: look again.
      if (shapes !== null) return { ...found, shapes };
    }
  }

  async function readChunk(dataset: string, ids: readonly string[]): Promise<ReadChunk | null> {
    const view = await readView(dataset, ids);
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

  /** Finds the buckets of a dataset; null if there is no such dataset. */
  async function beginScan(dataset: string): Promise<ScanStart | null> {
    const fields = await connection.send(
      "HMGET",
      [keyOf(dataset), "incarnation", "samples"],
      listOf(orNull(bytes)),
    );
    const [incarnation, samples] = fields.map((field) => field?.toString());
    if (incarnation === undefined) return null;
    const used = incarnationKey(prefix, dataset, incarnation, "used");
    const buckets = await connection.send("GET", [used], usedBuckets);
    const perBucket = Math.max(1, Number(samples) / Math.max(1, buckets.length));
    return { incarnation, buckets, bucketsPerChunk: Math.max(1, Math.floor(CHUNK / perBucket)) };
  }

  return {
    writeSamples: (dataset, entries) =>
      run(async () => {
        if (entries.length === 0) return;
        const incarnation = await connection.run(WRITE_SAMPLES, keyOf(dataset), packSamples(entries));
        await datasets.index(dataset, incarnation.toString());
      }),

    lookUp: (dataset, ids) => run(() => lookUpInChunks(ids, (chunk) => readChunk(dataset, chunk))),

    readSamples: (dataset, ids) =>
      run(async () => {
        const view = await readView(dataset, ids);
        if (view === null) return ids.map(() => null);
        const { shapes, snapshot, stored } = view;
        const samples: (StoredSample | null)[] = ids.map(() => null);
        readPackedList(stored, (index, from, to) => {
          samples[index] = decodeStored(stored.subarray(from, to), (number) => shapes[number], snapshot);
        });
        return samples;
      }),

    deleteSample: (dataset, id) =>
      run(async () => (await connection.run(DELETE_SAMPLE, keyOf(dataset), [bucketOf(id), id])) === 1),

    async *scanSamples(dataset) {
      const start = await run(() => beginScan(dataset));
      if (start === null) return;
      const { incarnation, buckets, bucketsPerChunk } = start;
      for (let first = 0; first < buckets.length; first += bucketsPerChunk) {
        const chunk = buckets.slice(first, first + bucketsPerChunk);
        const samples = await run(async () => {
          const found = await connection.run(READ_BUCKETS, keyOf(dataset), [incarnation, ...chunk]);
          const shapes = await datasets.shapes(dataset, incarnation, found.shapes);
          return shapes === null ? [] : decodeBuckets(found, shapes);
        });
        if (samples.length > 0) yield samples;
      }
    },
  };
}

/** The arguments of `WRITE_SAMPLES`, grouped by shape. If an id occurs twice, the last entry counts. */
function packSamples(entries: readonly { id: string; record: SampleRecord }[]): Argument[] {
  const last = new Map(entries.map(({ id, record }) => [id, record]));
  const byShape = new Map<string, Argument[]>();
  const signalsOf = new Map<string, readonly string[]>();
  for (const [id, record] of last) {
    const text = shapeText(record);
    const signals = signalsOf.get(text) ?? parseShape(text).signals;
    signalsOf.set(text, signals);
    const group = byShape.get(text) ?? [];
    byShape.set(text, group);
    group.push(bucketOf(id), id, encodeSample(record, signals));
  }
  const args: Argument[] = [randomBytes(6).toString("base64url")];
  for (const [text, group] of byShape) {
    args.push(text, group.length / 3);
    for (const arg of group) args.push(arg);
  }
  return args;
}

function decodeBuckets(
  { samples }: FoundBuckets,
  shapes: readonly Shape[],
): { id: string; record: SampleRecord }[] {
  return samples.map(([id, stored]) => {
    const { record } = decodeStored(stored, (number) => shapes[number], null);
    return { id: id.toString("utf8"), record };
  });
}
