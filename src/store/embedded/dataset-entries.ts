import { corrupt } from "../codec/bytes.js";
import { parseShape, type Shape } from "../codec/shape.js";
import { openTurns } from "../turns.js";
import { openCounts } from "./counts.js";
import { type DatasetEntry, formatEntry, INCARNATION_BYTES, parseEntry } from "./dataset-entry.js";
import { type Environment, freshVersion } from "./environment.js";

/**
 * A change that was planned from the entry as it was read. Its writes and the new entry are committed together. Its result is not
 * null, because null says that nothing was changed.
 */
export interface Change<T extends NonNullable<unknown>> {
  /** Null removes the dataset. */
  readonly entry: DatasetEntry | null;
  readonly write: () => void;
  readonly result: T;
}

/** The entry from which a change is planned. */
export interface CountedEntry extends DatasetEntry {
  readonly counts: readonly number[];
}

export interface DatasetEntries {
  /** Begins a new view and reads the entry, so that samples that are read next belong to it. */
  read(dataset: string): DatasetEntry | null;
  /**
   * Reads the entry (null if there is none), plans, and commits. If another process has changed the entry in the meantime, it
   * plans again. A plan of null changes nothing. Changes of one dataset take turns within the process. Throws `store_outdated`
   * if the directory has the format of an earlier version.
   */
  change<T extends NonNullable<unknown>>(
    dataset: string,
    plan: (entry: CountedEntry | null) => Change<T> | null,
  ): Promise<T | null>;
  /** Number of samples of each shape. Counts them if the entry has no counts, and writes nothing. */
  counts(entry: DatasetEntry): Promise<readonly number[]>;
  /** The shapes of the entry, in the order of their numbers. They are kept in memory, because a shape never changes. */
  shapes(entry: DatasetEntry): readonly Shape[];
  /** The numbers of the shapes with these texts, and the writes that keep the new ones. */
  numberShapes(entry: DatasetEntry, texts: Iterable<string>): ShapeNumbers;
  /** The datasets after the name `after`, ordered by name. */
  list(after: string | null, limit: number): { dataset: string; entry: DatasetEntry }[];
}

export interface ShapeNumbers {
  readonly numberOf: ReadonlyMap<string, number>;
  /** Number of the dataset's shapes once `write` is committed. */
  readonly shapes: number;
  readonly write: () => void;
}

export function openDatasetEntries(environment: Environment): DatasetEntries {
  const { datasets } = environment;
  const shapesByIncarnation = new Map<string, Shape[]>();
  const numbersByIncarnation = new Map<string, Map<string, number>>();
  const turns = openTurns();
  const counts = openCounts(environment);

  async function changeNow<T extends NonNullable<unknown>>(
    dataset: string,
    plan: (entry: CountedEntry | null) => Change<T> | null,
  ): Promise<T | null> {
    environment.requireFormat();
    const key = Buffer.from(dataset, "utf8");
    for (;;) {
      environment.refresh();
      const stored = datasets.getEntry(key);
      const entry = stored === undefined ? null : parseEntry(stored.value);
      const change = plan(entry && { ...entry, counts: entry.counts ?? (await counts(entry)) });
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

    change: (dataset, plan) => turns.take(dataset, () => changeNow(dataset, plan)),

    counts,

    shapes: (entry) => load(entry).shapes.slice(0, entry.shapes),

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
      // The smallest key after `after` is `after` followed by a zero byte.
      const start = after === null ? undefined : Buffer.from(`${after}\0`, "utf8");
      const range = datasets.getRange(start === undefined ? { limit } : { start, limit });
      return [...range].map(({ key, value }) => ({
        dataset: key.toString("utf8"),
        entry: parseEntry(value),
      }));
    },
  };
}

function shapeKey({ incarnation }: DatasetEntry, number: number): Buffer {
  const key = Buffer.allocUnsafe(INCARNATION_BYTES + 4);
  incarnation.copy(key);
  key.writeUInt32BE(number, INCARNATION_BYTES);
  return key;
}
