import { randomBytes } from "node:crypto";
import { AssayError } from "../../errors.js";
import { corrupt } from "../codec/bytes.js";
import { encodeSample } from "../codec/sample.js";
import { parseShape, type Shape, shapeText } from "../codec/shape.js";
import {
  type Columns,
  decodeIntoColumns,
  decodeStored,
  emptyColumns,
  type KeptSnapshot,
} from "../codec/stored.js";
import { startLifetime } from "../lifetime.js";
import { DIGEST_KEY_BYTES, OUTPUTS_BYTES_MAX, OUTPUTS_TTL_MS, type StoreOptions } from "../options.js";
import type { LookedUp, SampleRecord, Store, StoredSample } from "../port.js";
import { openWeighings } from "../weighings.js";
import { type Argument, type Connection, connect } from "./connection.js";
import { openDatasets } from "./datasets.js";
import { openDirections } from "./directions.js";
import { explain, isRefusal } from "./faults.js";
import { bucketOf, datasetKey, digestKeyKey, incarnationKey, usedBuckets } from "./keys.js";
import { parseRedisUrl } from "./location.js";
import { openOutputs } from "./outputs.js";
import { packBucketsAndIds } from "./packed.js";
import { readPackedList } from "./packed-list.js";
import { openReadiness } from "./readiness.js";
import { DELETE_SAMPLE, READ_BUCKETS, READ_SAMPLES, WRITE_SAMPLES } from "./scripts.js";
import { openSnapshots } from "./snapshots.js";

/** Samples that one script reads, about: Redis does nothing else meanwhile. */
const CHUNK = 1000;

/** Of `READ_SAMPLES`: incarnation, number of shapes, newest snapshot, stored samples as a packed list. */
type Reply = [Buffer, number, Buffer | null, Buffer];

export interface RedisStoreOptions extends StoreOptions {
  /** See `parseRedisUrl`. */
  readonly url: string;
  /** A command without an answer fails after this time. */
  readonly timeoutMs?: number;
  /** Told of the loss of the connection with the reason, which names the address, and of its return with null. */
  readonly onChange?: (lost: string | null) => void;
}

export interface RedisStore extends Store {
  /**
   * Waits for the first try to reach Redis, whatever comes of it.
   * @throws AssayError `config_invalid` where Redis answers, but refuses the user, the password, the database or a command
   */
  tried(): Promise<void>;
}

/**
 * The store on one Redis server (7 or later), shared by replicas. It opens at once and connects by itself, also when
 * Redis comes later or comes back; until then every method fails with `store_unavailable`.
 * @throws AssayError `config_invalid` for a URL that it cannot read
 */
export function openRedisStore({
  url,
  digestKey,
  outputsTtlMs = OUTPUTS_TTL_MS,
  outputsBytesMax = OUTPUTS_BYTES_MAX,
  timeoutMs = 5000,
  onChange = () => {},
}: RedisStoreOptions): RedisStore {
  const location = parseRedisUrl(url);
  const { prefix } = location;
  const connection = connect(location, { timeoutMs, onChange });
  const status = openReadiness(connection, prefix, timeoutMs);
  const outputs = openOutputs(connection, prefix, { outputsTtlMs, outputsBytesMax });
  const datasets = openDatasets(connection, prefix);
  const directions = openDirections(connection, prefix);
  const writeSnapshot = openSnapshots(connection, prefix);
  const inTurn = openWeighings();
  const { run, runEach, end } = startLifetime(explain);
  const keyOf = (dataset: string): string => datasetKey(prefix, dataset);

  let known: { digestKey: Buffer; connections: number } | null = null;

  /** Asks once a connection: a Redis that came back without its data is given the key that is known here. */
  async function keptDigestKey(): Promise<Buffer> {
    const connections = connection.connections();
    if (known?.connections === connections) return known.digestKey;
    const key = digestKeyKey(prefix);
    await connection.send("SET", [key, known?.digestKey ?? randomBytes(DIGEST_KEY_BYTES), "NX"]);
    const kept = (await connection.send("GET", [key])) as Buffer | null;
    if (kept?.length !== DIGEST_KEY_BYTES) throw corrupt("the digest key is not 32 bytes");
    known = { digestKey: kept, connections };
    return kept;
  }

  /** Null where there is no dataset. */
  async function readView(dataset: string, ids: readonly string[]): Promise<View | null> {
    const args = packBucketsAndIds(ids);
    for (;;) {
      const found = (await connection.runPacked(READ_SAMPLES, keyOf(dataset), args)) as Reply | null;
      if (found === null) return null;
      const incarnation = found[0].toString();
      const shapes = await datasets.shapes(dataset, incarnation, found[1]);
      // Without them the dataset was deleted between two commands: look again.
      if (shapes === null) continue;
      const snapshot = found[2] === null ? null : (JSON.parse(found[2].toString()) as KeptSnapshot);
      return { incarnation, shapes, snapshot, stored: found[3] };
    }
  }

  /** A script for each chunk, between which Redis does others' work; "changed" where the dataset did so meanwhile. */
  async function lookUpOnce(dataset: string, ids: readonly string[]): Promise<LookedUp | null | "changed"> {
    const first = await readView(dataset, ids.slice(0, CHUNK));
    if (first === null) return null;
    const columns = emptyColumns(ids.length, first.shapes, first.snapshot);
    decodeChunk(first, columns, 0);
    for (let start = CHUNK; start < ids.length; start += CHUNK) {
      const view = await readView(dataset, ids.slice(start, start + CHUNK));
      if (view === null || !isSameView(view, first)) return "changed";
      decodeChunk(view, columns, start);
    }
    return columns;
  }

  return {
    digestKey: () => run(() => digestKey ?? keptDigestKey()),

    status: () => run(status),

    async tried() {
      await connection.tried();
      try {
        await run(status);
      } catch (error) {
        if (!(error instanceof AssayError)) throw error;
        if (isRefusal(error))
          throw new AssayError("config_invalid", {
            detail: `The Redis URL cannot be used: ${error.message}`,
            cause: error.cause,
          });
      }
    },

    readOutputs: (keys) => run(() => outputs.read(keys)),
    writeOutputs: (entries) => run(() => outputs.write(entries)),

    writeSamples: (dataset, entries) =>
      run(async () => {
        if (entries.length === 0) return;
        const args = packSamples(entries);
        const incarnation = (await connection.run(WRITE_SAMPLES, keyOf(dataset), args)) as Buffer;
        await datasets.index(dataset, incarnation.toString());
      }),

    lookUp: (dataset, ids) =>
      run(async () => {
        for (;;) {
          const found = await lookUpOnce(dataset, ids);
          if (found !== "changed") return found;
        }
      }),

    readSamples: (dataset, ids) =>
      run(async () => {
        const view = await readView(dataset, ids);
        if (view === null) return ids.map(() => null);
        const { shapes, snapshot, stored } = view;
        const samples: (StoredSample | null)[] = ids.map(() => null);
        readPackedList(stored, (index, from, to) => {
          const bytes = stored.subarray(from, to);
          samples[index] = decodeStored(bytes, (number) => shapes[number], snapshot);
        });
        return samples;
      }),

    deleteSample: (dataset, id) =>
      run(async () => (await connection.run(DELETE_SAMPLE, keyOf(dataset), [bucketOf(id), id])) === 1),

    async *scanSamples(dataset) {
      const start = await run(() => beginScan(connection, prefix, dataset));
      if (start === null) return;
      const { incarnation, buckets, bucketsPerChunk } = start;
      for (let first = 0; first < buckets.length; first += bucketsPerChunk) {
        const chunk = buckets.slice(first, first + bucketsPerChunk);
        const samples = await run(async () => {
          const found = await connection.run(READ_BUCKETS, keyOf(dataset), [incarnation, ...chunk]);
          const [count, ...parts] = found as [number, ...Buffer[]];
          const shapes = await datasets.shapes(dataset, incarnation, count);
          return shapes === null ? [] : decodeBuckets(parts, shapes);
        });
        if (samples.length > 0) yield samples;
      }
    },

    listDatasets: (cursor, limit) => run(() => datasets.list(cursor, limit)),
    readDataset: (dataset) => run(() => datasets.read(dataset)),
    deleteDataset: (dataset) => run(() => datasets.delete(dataset)),

    writeSnapshot: (dataset, weights, provenance) =>
      run(() => inTurn(dataset, () => writeSnapshot(dataset, weights, provenance))),

    writeDirection: (facts, vector) => run(() => directions.write(facts, vector)),
    readDirection: (name) => run(() => directions.read(name)),
    readDirectionVector: (name, digest) => runEach(directions.readVector(name, digest)),
    listDirections: (cursor, limit) => run(() => directions.list(cursor, limit)),
    deleteDirection: (name) => run(() => directions.delete(name)),

    async close() {
      if (await end()) await connection.close();
    },
  };
}

function decodeChunk({ stored }: View, columns: Columns, start: number): void {
  readPackedList(stored, (index, from, to) => decodeIntoColumns(stored, columns, start + index, from, to));
}

/** Grouped by shape, as `WRITE_SAMPLES` takes them. The last of two entries with one id stands. */
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

/** Some samples of a dataset as they lie, with what it takes to read them, all of one moment. */
interface View {
  readonly incarnation: string;
  readonly shapes: readonly Shape[];
  readonly snapshot: KeptSnapshot | null;
  /** A packed list. */
  readonly stored: Buffer;
}

/** Whether weights and shapes read under one view belong to the other too. */
function isSameView(a: View, b: View): boolean {
  return (
    a.incarnation === b.incarnation &&
    a.shapes.length === b.shapes.length &&
    a.snapshot?.version === b.snapshot?.version
  );
}

function decodeBuckets(
  parts: readonly Buffer[],
  shapes: readonly Shape[],
): { id: string; record: SampleRecord }[] {
  const samples = [];
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const { record } = decodeStored(parts[index + 1] as Buffer, (number) => shapes[number], null);
    samples.push({ id: (parts[index] as Buffer).toString("utf8"), record });
  }
  return samples;
}

/** The buckets in use, and how many of them make a chunk; null where there is no dataset. */
async function beginScan(
  connection: Connection,
  prefix: string,
  dataset: string,
): Promise<{ incarnation: string; buckets: number[]; bucketsPerChunk: number } | null> {
  const fields = await connection.send("HMGET", [datasetKey(prefix, dataset), "incarnation", "samples"]);
  const [incarnation, samples] = (fields as (Buffer | null)[]).map((field) => field?.toString());
  if (incarnation === undefined) return null;
  const used = (await connection.send("GET", [
    incarnationKey(prefix, dataset, incarnation, "used"),
  ])) as Buffer | null;
  const buckets = used === null ? [] : usedBuckets(used);
  const perBucket = Math.max(1, Number(samples) / Math.max(1, buckets.length));
  return { incarnation, buckets, bucketsPerChunk: Math.max(1, Math.floor(CHUNK / perBucket)) };
}
