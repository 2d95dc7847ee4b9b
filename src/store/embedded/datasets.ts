import { randomBytes } from "node:crypto";
import { corrupt } from "../codec/bytes.js";
import { parseShape, type Shape } from "../codec/shape.js";
import type { SnapshotInfo } from "../port.js";
import { type Environment, freshVersion } from "./environment.js";

/** Random name of one life of a dataset: what a deleted dataset leaves behind is never taken for its successor's. */
const INCARNATION_BYTES = 6;

/** What is kept of a dataset beside its samples; every change of a sample rewrites it. */
export interface DatasetEntry {
  readonly incarnation: Buffer;
  readonly samples: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Number of shapes that its samples use: see `Shape`. */
  readonly shapes: number;
  /** Newest snapshot that readers see. */
  readonly snapshot: SnapshotInfo | null;
  /** Newest snapshot version that a writer took, published or not. */
  readonly snapshotVersionTaken: number;
}

/** What a change does, made from the entry as it was read; the writes and the new entry are committed together. */
export interface Change<T> {
  /** Null removes the dataset. */
  readonly entry: DatasetEntry | null;
  readonly write: () => void;
  readonly result: T;
}

export interface DatasetTable {
  /** Begins a new view, so that the samples read next belong to the entry. */
  read(dataset: string): DatasetEntry | null;
  /**
   * Reads the entry (null where there is none), plans, and commits unless another process changed the entry meanwhile:
   * then it plans again. A plan of null changes nothing. Changes of one dataset take turns within the process.
   */
  change<T>(dataset: string, plan: (entry: DatasetEntry | null) => Change<T> | null): Promise<T | null>;
  /** In the order of their numbers; kept in memory, for a shape never changes. */
  shapes(entry: DatasetEntry): readonly Shape[];
  /** The numbers of `texts`, and the writes that keep those which are new. */
  numberShapes(entry: DatasetEntry, texts: Iterable<string>): ShapeNumbers;
  /** By name, those after `after`. */
  list(after: string | null, limit: number): { dataset: string; entry: DatasetEntry }[];
}

export interface ShapeNumbers {
  readonly numberOf: ReadonlyMap<string, number>;
  /** Number of the dataset's shapes once `write` is committed. */
  readonly shapes: number;
  readonly write: () => void;
}

export function openDatasets(environment: Environment): DatasetTable {
  const { datasets } = environment;
  const shapesByIncarnation = new Map<string, Shape[]>();
  const numbersByIncarnation = new Map<string, Map<string, number>>();
  const turns = new Map<string, Promise<unknown>>();

  async function changeNow<T>(
    dataset: string,
    plan: (entry: DatasetEntry | null) => Change<T> | null,
  ): Promise<T | null> {
    const key = Buffer.from(dataset, "utf8");
    for (;;) {
      environment.refresh();
      const stored = datasets.getEntry(key);
      const change = plan(stored === undefined ? null : parseEntry(stored.value));
      if (change === null) return null;
      const committed = await environment.putIf(datasets, key, stored?.version ?? null, () => {
        change.write();
        if (change.entry === null) datasets.remove(key);
        else datasets.put(key, formatEntry({ ...change.entry, updatedAtMs: Date.now() }), freshVersion());
      });
      if (committed) return change.result;
    }
  }

  /** Reads the shapes that this process has not seen yet. */
  function load(entry: DatasetEntry): { shapes: Shape[]; numbers: Map<string, number> } {
    const name = entry.incarnation.toString("hex");
    const shapes = shapesByIncarnation.get(name) ?? [];
    const numbers = numbersByIncarnation.get(name) ?? new Map<string, number>();
    shapesByIncarnation.set(name, shapes);
    numbersByIncarnation.set(name, numbers);
    while (shapes.length < entry.shapes) {
      const text = environment.shapes.get(shapeKey(entry, shapes.length))?.toString();
      if (text === undefined) throw corrupt(`shape ${shapes.length} of a dataset is missing`);
      numbers.set(text, shapes.length);
      shapes.push(parseShape(text));
    }
    return { shapes, numbers };
  }

  return {
    read(dataset) {
      environment.refresh();
      const bytes = datasets.get(Buffer.from(dataset, "utf8"));
      return bytes === undefined ? null : parseEntry(bytes);
    },

    async change(dataset, plan) {
      const previous = turns.get(dataset) ?? Promise.resolve();
      const turn = previous.then(() => changeNow(dataset, plan));
      const done = turn.then(
        () => undefined,
        () => undefined, // the caller of `turn` hears of it
      );
      turns.set(dataset, done);
      try {
        return await turn;
      } finally {
        if (turns.get(dataset) === done) turns.delete(dataset);
      }
    },

    shapes: (entry) => load(entry).shapes,

    numberShapes(entry, texts) {
      const { numbers } = load(entry);
      const added = new Map<string, number>();
      const numberOf = new Map<string, number>();
      for (const text of texts) {
        const number = numbers.get(text) ?? entry.shapes + added.size;
        if (number >= entry.shapes) added.set(text, number);
        numberOf.set(text, number);
      }
      return {
        numberOf,
        shapes: entry.shapes + added.size,
        write: () => {
          for (const [text, number] of added)
            environment.shapes.put(shapeKey(entry, number), Buffer.from(text));
        },
      };
    },

    list(after, limit) {
      environment.refresh();
      // The least key after `after` is `after` and a zero byte.
      const start = after === null ? undefined : Buffer.from(`${after}\0`, "utf8");
      const range = datasets.getRange(start === undefined ? { limit } : { start, limit });
      return [...range].map(({ key, value }) => ({
        dataset: key.toString("utf8"),
        entry: parseEntry(value),
      }));
    },
  };
}

/** The entry of a dataset that has no samples yet. */
export function newEntry(now: number): DatasetEntry {
  return {
    incarnation: randomBytes(INCARNATION_BYTES),
    samples: 0,
    createdAtMs: now,
    updatedAtMs: now,
    shapes: 0,
    snapshot: null,
    snapshotVersionTaken: 0,
  };
}

function shapeKey({ incarnation }: DatasetEntry, number: number): Buffer {
  const key = Buffer.allocUnsafe(INCARNATION_BYTES + 4);
  incarnation.copy(key);
  key.writeUInt32BE(number, INCARNATION_BYTES);
  return key;
}

function formatEntry(entry: DatasetEntry): Buffer {
  return Buffer.from(JSON.stringify({ ...entry, incarnation: entry.incarnation.toString("hex") }));
}

function parseEntry(bytes: Buffer): DatasetEntry {
  const entry = JSON.parse(bytes.toString()) as Omit<DatasetEntry, "incarnation"> & { incarnation: unknown };
  if (
    typeof entry.incarnation !== "string" ||
    !Number.isInteger(entry.samples) ||
    !Number.isInteger(entry.shapes)
  ) {
    throw corrupt("the entry of a dataset is incomplete");
  }
  return { ...entry, incarnation: Buffer.from(entry.incarnation, "hex") };
}
