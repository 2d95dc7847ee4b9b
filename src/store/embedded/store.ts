import { randomBytes } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { encodeSample } from "../codec/sample.js";
import { distinctModels, parseShape, shapeText } from "../codec/shape.js";
import {
  decodeIntoColumns,
  decodeStored,
  emptyColumns,
  encodeStored,
  weightsSince,
  withWeight,
} from "../codec/stored.js";
import { datasetNotFound, startLifetime } from "../lifetime.js";
import { DIGEST_KEY_BYTES, OUTPUTS_BYTES_MAX, OUTPUTS_TTL_MS, type StoreOptions } from "../options.js";
import type { DatasetSummary, LookedUp, Page, Store } from "../port.js";
import { type DatasetEntry, newEntry, openDatasets } from "./datasets.js";
import { openDirections } from "./directions.js";
import { explain } from "./disk.js";
import { openEnvironment } from "./environment.js";
import { openOutputs } from "./outputs.js";
import { startPurge } from "./purge.js";
import { after, openSampleKeys, sampleKey } from "./sample-key.js";

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

  function summary(dataset: string, entry: DatasetEntry): DatasetSummary {
    const { createdAtMs, updatedAtMs, snapshot } = entry;
    const models = distinctModels(datasets.shapes(entry));
    return { dataset, samples: entry.samples, createdAtMs, updatedAtMs, models, snapshot };
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
          let added = 0;
          const puts = [...packed].map(([id, { text, body }]) => {
            const key = sampleKey(entry, id);
            const old = samples.getBinaryFast(key);
            if (old === undefined) added++;
            const weights = old === undefined ? [] : weightsSince(old, published);
            return { key, value: encodeStored(weights, numbers.numberOf.get(text) as number, body) };
          });
          return {
            entry: { ...entry, samples: entry.samples + added, shapes: numbers.shapes },
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
        const published = entry.snapshot?.version ?? 0;
        return ids.map((id) => {
          const bytes = samples.getBinaryFast(sampleKey(entry, id));
          return bytes === undefined ? null : decodeStored(bytes, (number) => known[number], published);
        });
      }),

    deleteSample: (dataset, id) =>
      run(async () => {
        const deleted = await datasets.change(dataset, (entry) => {
          if (entry === null) return null;
          const key = sampleKey(entry, id);
          if (!samples.doesExist(key)) return null;
          return {
            entry: { ...entry, samples: entry.samples - 1 },
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
            record: decodeStored(value, (number) => known[number], 0).record,
          }));
        });
        const last = chunk.at(-1);
        if (last !== undefined) yield chunk.map(({ id, record }) => ({ id, record }));
        start = chunk.length < CHUNK || last === undefined ? null : Buffer.concat([last.key, Buffer.of(0)]);
        await nextTurn();
      }
    },

    listDatasets: (cursor, limit) =>
      run((): Page<DatasetSummary> => {
        const name = cursor === null ? null : Buffer.from(cursor, "base64url").toString("utf8");
        const found = datasets.list(name, limit + 1);
        const items = found.slice(0, limit).map(({ dataset, entry }) => summary(dataset, entry));
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

    writeSnapshot: (dataset, { ids, weights }, provenance) =>
      run(async () => {
        const taken = await datasets.change(dataset, (entry) => {
          if (entry === null) return null;
          const version = entry.snapshotVersionTaken + 1;
          return {
            entry: { ...entry, snapshotVersionTaken: version },
            write: () => {},
            result: { entry, version },
          };
        });
        if (taken === null) throw datasetNotFound(dataset);
        const { incarnation } = taken.entry;
        let weighed = 0;
        for (let start = 0; start < ids.length; start += CHUNK) {
          const chunk = ids.slice(start, start + CHUNK);
          const written = await datasets.change(dataset, (entry) => {
            if (!entry?.incarnation.equals(incarnation)) return null;
            const published = entry.snapshot?.version ?? 0;
            const puts = chunk.flatMap((id, index) => {
              const key = sampleKey(entry, id);
              const old = samples.getBinaryFast(key);
              if (old === undefined) return [];
              const added = { version: taken.version, weight: weights[start + index] as number };
              return [{ key, value: withWeight(old, published, added) }];
            });
            return {
              entry,
              write: () => {
                for (const { key, value } of puts) samples.put(key, value);
              },
              result: puts.length,
            };
          });
          if (written === null) throw datasetNotFound(dataset);
          weighed += written;
        }
        const info = { version: taken.version, createdAtMs: Date.now(), samples: weighed, provenance };
        const published = await datasets.change(dataset, (entry) => {
          if (!entry?.incarnation.equals(incarnation)) return null;
          const newest = (entry.snapshot?.version ?? 0) < info.version;
          return { entry: newest ? { ...entry, snapshot: info } : entry, write: () => {}, result: info };
        });
        if (published === null) throw datasetNotFound(dataset);
        return published;
      }),

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
