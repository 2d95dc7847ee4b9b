import { setImmediate as nextTurn } from "node:timers/promises";
import { encodeSample } from "../codec/sample.js";
import { parseShape, shapeText } from "../codec/shape.js";
import { decodeIntoColumns, decodeStored, encodeStored, shapeNumber, weightsSince } from "../codec/stored.js";
import { recount } from "../counted-once.js";
import type { Lifetime } from "../lifetime.js";
import { lookUpInChunks, type ReadChunk } from "../look-up.js";
import type { SampleRecord, SampleStore } from "../port.js";
import { type Change, type CountedEntry, type DatasetEntries, newEntry } from "./dataset-entries.js";
import type { Environment } from "./environment.js";
import { after, openSampleKeys, sampleKey } from "./sample-key.js";

/** Samples that a scan reads in one turn of the event loop. */
const CHUNK = 1000;

/** A sample in its stored form, without what its dataset adds. */
interface PackedSample {
  /** Text of its shape. */
  readonly text: string;
  readonly body: Buffer;
}

/** Samples by incarnation and id. */
export function openSamples(
  { samples }: Pick<Environment, "samples">,
  datasets: DatasetEntries,
  { run }: Lifetime,
): SampleStore {
  const reusedKey = openSampleKeys();

  function planWriting(
    found: CountedEntry | null,
    packed: ReadonlyMap<string, PackedSample>,
  ): Change<undefined> {
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
  }

  function planDeletion(entry: CountedEntry | null, id: string): Change<true> | null {
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
  }

  async function readChunk(dataset: string, ids: readonly string[]): Promise<ReadChunk | null> {
    const entry = datasets.read(dataset);
    if (entry === null) return null;
    return {
      incarnation: entry.incarnation.toString("hex"),
      shapes: datasets.shapes(entry),
      snapshot: entry.snapshot,
      decodeInto(columns, start) {
        for (const [offset, id] of ids.entries()) {
          const bytes = samples.getBinaryFast(reusedKey(entry, id));
          if (bytes !== undefined) decodeIntoColumns(bytes, columns, start + offset);
        }
      },
    };
  }

  return {
    writeSamples: (dataset, entries) =>
      run(async () => {
        if (entries.length === 0) return;
        const packed = pack(entries);
        await datasets.change(dataset, (entry) => planWriting(entry, packed));
      }),

    lookUp: (dataset, ids) => run(() => lookUpInChunks(ids, (chunk) => readChunk(dataset, chunk))),

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
      run(async () => (await datasets.change(dataset, (entry) => planDeletion(entry, id))) ?? false),

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
  };
}

/** The entries by id. If an id occurs twice, the last entry counts. */
function pack(entries: readonly { id: string; record: SampleRecord }[]): ReadonlyMap<string, PackedSample> {
  const packed = new Map<string, PackedSample>();
  for (const { id, record } of entries) {
    const text = shapeText(record);
    packed.set(id, { text, body: encodeSample(record, parseShape(text).signals) });
  }
  return packed;
}
