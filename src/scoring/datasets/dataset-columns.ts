import { AssayError, type Fault, faultsError, throwFaults } from "../../errors.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import { SIGNALS } from "../../importance/types.js";
import type { SampleStore } from "../../store/dataset-port.js";
import type { ScannedSamples, StoredLabel } from "../../store/dataset-records.js";
import { type GrowingDoubles, type GrowingNumbers, growingDoubles, growingNumbers } from "./growing.js";
import { originOf } from "./keep.js";
import type { ObservedMode } from "./observe.js";

/** Columns of all N samples of a dataset, in the order of a scan. */
export interface DatasetColumns {
  /** The life of the dataset to which the numbers belong. */
  readonly incarnation: string;
  readonly numbers: Uint32Array; // (N)
  /** (N) Values of a column that was asked for; each is a float32. The caller may change them. */
  values(column: string): Float64Array;
  /** (N) Hard labels; null if they were not asked for. */
  readonly classes: Uint16Array | null;
  readonly models: ReadonlySet<string>;
  /** Those of `models` whose outputs Assay computed. */
  readonly runModels: ReadonlySet<string>;
  /** How the outputs came about: `run` by Assay, or observed by a trainer in one of its modes. */
  readonly modes: ReadonlySet<"run" | ObservedMode>;
  readonly losses: ReadonlySet<string>;
  readonly precisions: ReadonlySet<string>;
  /** Each entry is a direction, or several that were summed; empty if no signal is measured along a direction. */
  readonly directions: ReadonlySet<string>;
}

/** What to read of each sample. */
export interface NeededColumns {
  /** About how many samples there are: memory is taken as they are read. */
  readonly samples: number;
  /** Signals and `extras.NAME`, each with its path in the request. */
  readonly columns: readonly { readonly column: string; readonly path: string }[];
  /** Whether the class of each sample is needed. */
  readonly classes: boolean;
}

/** Most ids that a refusal names. */
const LACKING_NAMED = 5;

/** Largest class index. */
const CLASS_MAX = 65_535;

/**
 * Reads columns of every sample of a dataset.
 *
 * Throws `unsuitable_weighting` if the dataset has no samples, or if a class is needed and a sample has no hard label; and
 * `unsuitable_signal` if a sample lacks a column. The message then names the signals that all samples have.
 *
 * @param onRead called with the number of samples read so far; may throw to end the reading
 */
export async function readColumns(
  store: SampleStore,
  dataset: string,
  needed: NeededColumns,
  onRead: (samples: number) => void,
): Promise<DatasetColumns> {
  const columns = new Map<string, AskedColumn>(
    needed.columns.map((each) => [
      each.column,
      { ...each, values: growingDoubles(needed.samples), lacking: newLacking() },
    ]),
  );
  const classes = needed.classes ? { values: growingNumbers(needed.samples), lacking: newLacking() } : null;
  const numbers = growingNumbers(needed.samples);
  const seen = noSeenShapes();
  const having = new Map<string, number>();
  let incarnation = "";
  for await (const chunk of store.scanSamples(dataset)) {
    incarnation = chunk.incarnation;
    numbers.push(chunk.numbers);
    for (const column of columns.values()) readChunk(chunk, column);
    if (classes !== null) readClasses(chunk, classes);
    noteShapes(chunk, [...columns.keys()], seen, having);
    onRead(numbers.length);
  }
  const samples = numbers.length;
  if (samples === 0)
    throw new AssayError("unsuitable_weighting", { detail: `Dataset ${dataset} has no samples to weigh` });
  throwIfLacking([...columns.values()], samples, having);
  if (classes !== null && classes.lacking.count > 0)
    throw faultsError("unsuitable_weighting", [
      {
        path: "/weighting/balance",
        message: `needs a hard label of every sample, and ${classes.lacking.count} of ${samples} have none (${namesOf(classes.lacking)})`,
      },
    ]);
  const readsDirections = SIGNALS.some(
    (name) => columns.has(name) && SIGNAL_TABLE[name].reads.includes("tangent"),
  );
  return {
    incarnation,
    numbers: numbers.take(),
    values: (column) => {
      const asked = columns.get(column);
      if (asked === undefined) throw new RangeError(`${column} was not read`);
      return asked.values.take();
    },
    classes: classes && new Uint16Array(classes.values.take()),
    models: seen.models,
    runModels: seen.runModels,
    modes: seen.modes,
    losses: seen.losses,
    precisions: seen.precisions,
    directions: readsDirections ? seen.directions : new Set(),
  };
}

/** The samples that lack something. */
interface Lacking {
  count: number;
  /** The first of them. */
  readonly ids: string[];
}

function newLacking(): Lacking {
  return { count: 0, ids: [] };
}

function noteLacking(lacking: Lacking, chunk: ScannedSamples, row: number): void {
  lacking.count++;
  if (lacking.ids.length < LACKING_NAMED) lacking.ids.push(chunk.id(row));
}

function namesOf({ count, ids }: Lacking): string {
  const named = ids.map((id) => JSON.stringify(id)).join(", ");
  return count > LACKING_NAMED ? `${named}, …` : named;
}

interface AskedColumn {
  readonly column: string;
  readonly path: string;
  readonly values: GrowingDoubles;
  readonly lacking: Lacking;
}

/** What the shapes of samples say. */
export interface SeenShapes {
  readonly models: Set<string>;
  readonly runModels: Set<string>;
  readonly modes: Set<"run" | ObservedMode>;
  readonly losses: Set<string>;
  readonly precisions: Set<string>;
  /** Each entry is a direction, or several that were summed. */
  readonly directions: Set<string>;
}

export function noSeenShapes(): SeenShapes {
  return {
    models: new Set(),
    runModels: new Set(),
    modes: new Set(),
    losses: new Set(),
    precisions: new Set(),
    directions: new Set(),
  };
}

function readChunk(chunk: ScannedSamples, { column, values, lacking }: AskedColumn): void {
  const places = chunk.shapes.map(({ signals }) => signals.indexOf(column));
  const read = new Float32Array(chunk.count);
  for (let row = 0; row < chunk.count; row++) {
    const place = places[chunk.shapeOf[row] as number] as number;
    if (place >= 0) read[row] = chunk.signals[row * chunk.signalsMax + place] as number;
    else noteLacking(lacking, chunk, row);
  }
  values.push(read);
}

function readClasses(
  chunk: ScannedSamples,
  { values, lacking }: { readonly values: GrowingNumbers; readonly lacking: Lacking },
): void {
  const read = new Uint32Array(chunk.count);
  for (let row = 0; row < chunk.count; row++) {
    const label = chunk.label(row);
    if (isClass(label)) read[row] = label;
    else noteLacking(lacking, chunk, row);
  }
  values.push(read);
}

/** Whether a label names a class: 0, 1, 2, … */
export function isClass(label: StoredLabel): label is number {
  return typeof label === "number" && Number.isInteger(label) && label >= 0 && label <= CLASS_MAX;
}

/**
 * Notes what the samples' shapes say.
 *
 * @param asked the columns whose models are noted
 * @param having the number of samples that have each signal; the chunk's samples are added
 */
export function noteShapes(
  { shapes, shapeOf }: ScannedSamples,
  asked: readonly string[],
  { models, runModels, modes, losses, precisions, directions }: SeenShapes,
  having: Map<string, number>,
): void {
  const counts = new Uint32Array(shapes.length);
  for (const shape of shapeOf) counts[shape] = (counts[shape] as number) + 1;
  for (const [index, shape] of shapes.entries()) {
    const count = counts[index] as number;
    if (count === 0) continue;
    for (const name of shape.signals) having.set(name, (having.get(name) ?? 0) + count);
    for (const name of asked) {
      const isEarlier = shape.earlier.has(name); // only a run's signals stay when others are observed
      const model = originOf(shape, name);
      const mode = isEarlier ? "run" : (shape.observed ?? "run");
      models.add(model);
      if (mode === "run") runModels.add(model);
      modes.add(mode);
    }
    losses.add(shape.loss);
    if (shape.precision !== null) precisions.add(shape.precision);
    if (shape.directions.length > 0) directions.add(shape.directions.join(" + "));
  }
}

function throwIfLacking(
  columns: readonly AskedColumn[],
  samples: number,
  having: ReadonlyMap<string, number>,
): void {
  const common = SIGNALS.filter((name) => having.get(name) === samples).join(", ") || "no signal in common";
  throwFaults(
    "unsuitable_signal",
    columns.flatMap(({ column, path, lacking }): Fault[] => {
      if (lacking.count === 0) return [];
      const message = `${lacking.count} of ${samples} samples were scored without ${column} (${namesOf(lacking)}); all ${samples} samples have: ${common}`;
      return [{ path, message }];
    }),
  );
}
