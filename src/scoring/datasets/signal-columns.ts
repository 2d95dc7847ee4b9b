import { AssayError, type Fault, throwFaults } from "../../errors.js";
import { SIGNALS, type SignalName } from "../../importance/types.js";
import type { SampleStore, ScannedSamples } from "../../store/port.js";
import { type AskedSignal, readingsOf } from "../requests/checks.js";
import { type GrowingFloats, growingFloats, growingNumbers } from "./growing.js";
import { originOf } from "./keep.js";
import type { ObservedMode } from "./observe.js";

/** Signals of all N samples of a dataset, in the order of a scan. */
export interface SignalColumnsOfDataset {
  /** The life of the dataset to which the numbers belong. */
  readonly incarnation: string;
  readonly numbers: Uint32Array; // (N)
  /** (N) float32 values of each signal. */
  values(signal: SignalName): Float32Array;
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

/** Most ids that a refusal names. */
const LACKING_NAMED = 5;

/**
 * Reads signals of every sample of a dataset.
 *
 * Throws `unsuitable_weighting` if the dataset has no samples, and `unsuitable_signal` if a sample lacks a signal. The message
 * then names the signals that all samples have.
 *
 * @param onRead called with the number of samples read so far; may throw to end the reading
 */
export async function readSignals(
  store: SampleStore,
  dataset: string,
  asked: readonly AskedSignal[],
  onRead: (samples: number) => void,
): Promise<SignalColumnsOfDataset> {
  const columns = new Map<SignalName, AskedColumn>(
    asked.map(({ signal, path }) => [
      signal,
      { signal, path, values: growingFloats(), lacking: 0, lackingIds: [] },
    ]),
  );
  const numbers = growingNumbers();
  const seen: SeenShapes = {
    models: new Set(),
    runModels: new Set(),
    modes: new Set(),
    losses: new Set(),
    precisions: new Set(),
    directions: new Set(),
  };
  const having = new Map<string, number>();
  let incarnation = "";
  for await (const chunk of store.scanSamples(dataset)) {
    incarnation = chunk.incarnation;
    numbers.push(chunk.numbers);
    for (const column of columns.values()) readChunk(chunk, column);
    noteShapes(chunk, [...columns.keys()], seen, having);
    onRead(numbers.length);
  }
  const samples = numbers.length;
  if (samples === 0)
    throw new AssayError("unsuitable_weighting", { detail: `Dataset ${dataset} has no samples to weigh` });
  throwIfLacking([...columns.values()], samples, having);
  const readsDirections = readingsOf([...columns.keys()], false).has("tangent");
  return {
    incarnation,
    numbers: numbers.take(),
    values: (signal) => {
      const column = columns.get(signal);
      if (column === undefined) throw new RangeError(`${signal} was not read`);
      return column.values.take();
    },
    models: seen.models,
    runModels: seen.runModels,
    modes: seen.modes,
    losses: seen.losses,
    precisions: seen.precisions,
    directions: readsDirections ? seen.directions : new Set(),
  };
}

interface AskedColumn extends AskedSignal {
  readonly values: GrowingFloats;
  lacking: number;
  readonly lackingIds: string[];
}

interface SeenShapes {
  readonly models: Set<string>;
  readonly runModels: Set<string>;
  readonly modes: Set<"run" | ObservedMode>;
  readonly losses: Set<string>;
  readonly precisions: Set<string>;
  readonly directions: Set<string>;
}

function readChunk(chunk: ScannedSamples, column: AskedColumn): void {
  const places = chunk.shapes.map(({ signals }) => signals.indexOf(column.signal));
  const values = new Float32Array(chunk.count);
  for (let row = 0; row < chunk.count; row++) {
    const place = places[chunk.shapeOf[row] as number] as number;
    if (place >= 0) {
      values[row] = chunk.signals[row * chunk.signalsMax + place] as number;
      continue;
    }
    column.lacking++;
    if (column.lackingIds.length < LACKING_NAMED) column.lackingIds.push(chunk.id(row));
  }
  column.values.push(values);
}

/** Notes what the samples' shapes say, and counts the samples that have each signal. */
function noteShapes(
  { shapes, shapeOf }: ScannedSamples,
  asked: readonly SignalName[],
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
    columns.flatMap(({ signal, path, lacking, lackingIds }): Fault[] => {
      if (lacking === 0) return [];
      const named = lackingIds.map((id) => JSON.stringify(id)).join(", ");
      const which = lacking > LACKING_NAMED ? `${named}, …` : named;
      const message = `${lacking} of ${samples} samples were scored without ${signal} (${which}); all ${samples} samples have: ${common}`;
      return [{ path, message }];
    }),
  );
}
