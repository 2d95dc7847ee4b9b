import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { encodeSample } from "../codec/sample.js";
import { parseShape, samplesByModel, shapeText } from "../codec/shape.js";
import {
  decodeIntoColumns,
  decodeStored,
  emptyColumns,
  encodeStored,
  shapeNumber,
  snapshotInfo,
  weightsSince,
} from "../codec/stored.js";
import { recount } from "../counted-once.js";
import { startLifetime } from "../lifetime.js";
import { DIGEST_KEY_BYTES, OUTPUTS_BYTES_MAX, OUTPUTS_TTL_MS, type StoreOptions } from "../options.js";
import type { DatasetSummary, LookedUp, Page, Store } from "../port.js";
import { openWeighings } from "../weighings.js";
import { type DatasetEntry, newEntry, openDatasets } from "./datasets.js";
import { openDirections } from "./directions.js";
import { explain } from "./disk.js";
import { openEnvironment } from "./environment.js";
import { openOutputs } from "./outputs.js";
import { startPurge } from "./purge.js";
import { after, openSampleKeys, sampleKey } from "./sample-key.js";
import { openSnapshots } from "./snapshots.js";

const DIGEST_KEY = Buffer.from("digest_key");
/** Records that are read or written at once, between two turns of the event loop. */
const CHUNK = 1000;

export interface EmbeddedStoreOptions extends StoreOptions {
  /** Made if it is missing. On a local file system: LMDB's locks do not work over a network. */
  readonly directory: string;
  /** A write that is not on disk after this time fails; it may still be done later. */
  readonly timeoutMs?: number;
}

/**
 * The store without a server: LMDB in a directory. Reads are synchronous look-ups in mapped memory; writes are committed
 * and flushed by LMDB's thread. Several processes may share the directory: every change of a dataset is conditional on the
 * entry it was planned from, so counts stay exact.
 */
export async function openEmbeddedStore({
  directory,
  digestKey,
  outputsTtlMs = OUTPUTS_TTL_MS,
  outputsBytesMax = OUTPUTS_BYTES_MAX,
  timeoutMs = 5000,
}: EmbeddedStoreOptions): Promise<Store> {
  const environment = await openEnvironment(directory, timeoutMs);
  const { samples, doomed } = environment;
  const datasets = openDatasets(environment);
  const reusedKey = openSampleKeys();
  const outputs = openOutputs(environment, { outputsTtlMs, outputsBytesMax });
  const directions = await openDirections(environment, directory);
  const { run, runEach, end } = startLifetime(explain);
  const writeSnapshot = openSnapshots(environment, datasets);
  const inTurn = openWeighings();
  let knownDigestKey = digestKey;
  const purge = startPurge(environment, () => directions.sweep());

  /** Gives way to the event loop after each chunk; "changed" where the dataset is not what it was before. */
  async function lookUpOnce(dataset: string, ids: readonly string[]): Promise<LookedUp | null | "changed"> {
    const entry = datasets.read(dataset);
    if (entry === null) return null;
    const columns = emptyColumns(ids.length, datasets.shapes(entry), entry.snapshot);
    for (let index = 0; index < ids.length; index++) {
      if (index > 0 && index % CHUNK === 0) {
        await nextTurn();
        const now = datasets.read(dataset);
        if (now === null || !isSameView(now, entry)) return "changed";
      }
      const bytes = samples.getBinaryFast(reusedKey(entry, ids[index] as string));
      if (bytes !== undefined) decodeIntoColumns(bytes, columns, index);
    }
    return columns;
  }

  async function summary(dataset: string, entry: DatasetEntry): Promise<DatasetSummary> {
    const { createdAtMs, updatedAtMs, snapshot } = entry;
    return {
      dataset,
      samples: entry.samples,
      createdAtMs,
      updatedAtMs,
      samplesByModel: samplesByModel(datasets.shapes(entry), await datasets.counts(entry)),
      snapshot: snapshot && snapshotInfo(snapshot),
    };
  }

  return {
    digestKey: () =>
      run(async () => {
        knownDigestKey ??= await environment.putOnce(
          environment.singletons,
          DIGEST_KEY,
          randomBytes(DIGEST_KEY_BYTES),
        );
        return knownDigestKey;
      }),

    status: () =>
      run(async () => {
        await environment.checkWrites();
        const failure = purge.failure();
        if (failure !== null) throw explain(failure);
        return {
          kind: "embedded" as const,
          durability:
            "An acknowledged write is on disk: it survives the end of the process and of the machine.",
        };
      }),

    readOutputs: (keys) => run(() => outputs.read(keys)),
    writeOutputs: (entries) => run(() => outputs.write(entries)),

    writeSamples: (dataset, entries) =>
      run(async () => {
        if (entries.length === 0) return;
        // The last of two entries with one id stands.
        const packed = new Map<string, { text: string; body: Buffer }>();
        for (const { id, record } of entries) {
          const text = shapeText(record);
          packed.set(id, { text, body: encodeSample(record, parseShape(text).signals) });
        }
        await datasets.change(dataset, (found) => {
          const entry = found ?? newEntry(Date.now());
          const texts = new Set([...packed.values()].map(({ text }) => text));
          const numbers = datasets.numberShapes(entry, texts);
          const published = entry.snapshot?.version ?? 0;
          const counts = Array.from({ length: numbers.shapes }, (_, shape) => entry.counts[shape] ?? 0);
          let added = 0;
          const puts = [...packed].map(([id, { text, body }]) => {
            const key = sampleKey(entry, id);
            const shape = numbers.numberOf.get(text) as number;
            const old = samples.getBinaryFast(key);
            recount(counts, shape, 1);
            if (old === undefined) added++;
            else recount(counts, shapeNumber(old), -1);
            const weights = old === undefined ? [] : weightsSince(old, published);
            return { key, value: encodeStored(weights, shape, body) };
          });
          return {
            entry: { ...entry, samples: entry.samples + added, shapes: numbers.shapes, counts },
            write: () => {
              numbers.write();
              for (const { key, value } of puts) samples.put(key, value);
            },
            result: undefined,
          };
        });
      }),

    lookUp: (dataset, ids) =>
      run(async () => {
        for (;;) {
          const found = await lookUpOnce(dataset, ids);
          if (found !== "changed") return found;
        }
      }),

    readSamples: (dataset, ids) =>
      run(() => {
        const entry = datasets.read(dataset);
        if (entry === null) return ids.map(() => null);
        const known = datasets.shapes(entry);
        return ids.map((id) => {
          const bytes = samples.getBinaryFast(sampleKey(entry, id));
          return bytes === undefined ? null : decodeStored(bytes, (number) => known[number], entry.snapshot);
        });
      }),

    deleteSample: (dataset, id) =>
      run(async () => {
        const deleted = await datasets.change(dataset, (entry) => {
          if (entry === null) return null;
          const key = sampleKey(entry, id);
          const old = samples.getBinaryFast(key);
          if (old === undefined) return null;
          const counts = [...entry.counts];
          recount(counts, shapeNumber(old), -1);
          return {
            entry: { ...entry, samples: entry.samples - 1, counts },
            write: () => samples.remove(key),
            result: true,
          };
        });
        return deleted ?? false;
      }),

    async *scanSamples(dataset) {
      const entry = await run(() => datasets.read(dataset));
      if (entry === null) return;
      const end = after(entry.incarnation);
      for (let start: Buffer | null = entry.incarnation; start !== null; ) {
        const from: Buffer = start;
        const chunk = await run(() => {
          const current = datasets.read(dataset);
          if (current === null || !current.incarnation.equals(entry.incarnation)) return [];
          const known = datasets.shapes(current);
          return [...samples.getRange({ start: from, end, limit: CHUNK })].map(({ key, value }) => ({
            key,
            id: key.toString("utf8", entry.incarnation.length),
            record: decodeStored(value, (number) => known[number], null).record,
          }));
        });
        const last = chunk.at(-1);
        if (last !== undefined) yield chunk.map(({ id, record }) => ({ id, record }));
        start = chunk.length < CHUNK || last === undefined ? null : Buffer.concat([last.key, Buffer.of(0)]);
        await nextTurn();
      }
    },

    listDatasets: (cursor, limit) =>
      run(async (): Promise<Page<DatasetSummary>> => {
        const name = cursor === null ? null : Buffer.from(cursor, "base64url").toString("utf8");
        const found = datasets.list(name, limit + 1);
        const items = await Promise.all(
          found.slice(0, limit).map(({ dataset, entry }) => summary(dataset, entry)),
        );
        const last = found.length > limit ? items.at(-1) : undefined;
        return { items, cursor: last === undefined ? null : Buffer.from(last.dataset).toString("base64url") };
      }),

    readDataset: (dataset) =>
      run(() => {
        const entry = datasets.read(dataset);
        return entry === null ? null : summary(dataset, entry);
      }),

    deleteDataset: (dataset) =>
      run(async () => {
        const deleted = await datasets.change(dataset, (entry) =>
          entry === null
            ? null
            : { entry: null, write: () => doomed.put(entry.incarnation, Buffer.of(1)), result: true },
        );
        purge.again();
        return deleted ?? false;
      }),

    writeSnapshot: (dataset, weights, provenance) =>
      run(() => inTurn(dataset, () => writeSnapshot(dataset, weights, provenance))),

    writeDirection: (facts, vector) => run(() => directions.write(facts, vector)),
    readDirection: (name) => run(() => directions.read(name)),
    readDirectionVector: (name, digest) => runEach(directions.readVector(name, digest)),
    listDirections: (cursor, limit) => run(() => directions.list(cursor, limit)),
    deleteDirection: (name) => run(() => directions.delete(name)),

    async close() {
      purge.interrupt();
      if (!(await end())) return;
      await purge.idle();
      await environment.close();
    },
  };
}

/** Whether weights and shapes read under one entry belong to the other too. */
function isSameView(a: DatasetEntry, b: DatasetEntry): boolean {
  return (
    a.incarnation.equals(b.incarnation) &&
    a.shapes === b.shapes &&
    a.snapshot?.version === b.snapshot?.version
  );
}
