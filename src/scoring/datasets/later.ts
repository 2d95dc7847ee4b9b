import { laterWeight } from "../../importance/later-weight.js";
import type { Normaliser } from "../../importance/weights.js";
import type { SampleStore, SnapshotStore } from "../../store/dataset-port.js";
import type { LookedUp, StoredSample } from "../../store/dataset-records.js";
import { isClass } from "./dataset-columns.js";
import { EXTRAS_PREFIX } from "./keep.js";

/** What a snapshot keeps so that samples that come later get weights by the same normaliser. It is kept as JSON. */
export interface LaterWeighing {
  /** The signals that the weighting reads, in the order of the normaliser. */
  readonly signals: readonly string[];
  /** Name of the extra that multiplies first; null if there is none. */
  readonly base: string | null;
  /** Whether the class of a sample counts. */
  readonly balance: boolean;
  readonly normaliser: Normaliser;
}

/** What is known of a sample that came later. */
interface LaterSample {
  /** A signal or `extras.NAME`; undefined if the sample lacks it. */
  value(name: string): number | undefined;
  readonly label: StoredSample["record"]["label"];
}

/** The weight of a sample that came after the weighing; null if it lacks what the weighting reads. */
export function weightOfLater(
  { signals, base, balance, normaliser }: LaterWeighing,
  sample: LaterSample,
): number | null {
  const values = signals.map((name) => sample.value(name));
  if (!values.every((value) => value !== undefined)) return null;
  const multiplied = base === null ? null : sample.value(EXTRAS_PREFIX + base);
  if (multiplied === undefined || (multiplied !== null && multiplied < 0)) return null;
  if (balance && !isClass(sample.label)) return null;
  const own = balance && isClass(sample.label) ? sample.label : null;
  return laterWeight(normaliser, values, { base: multiplied, class: own });
}

/** What the snapshot keeps of later samples; null if it keeps nothing, as those of version 1a1e855. */
export async function readLaterWeighing(
  store: SnapshotStore,
  dataset: string,
  version: number,
): Promise<LaterWeighing | null> {
  const text = await store.readLater(dataset, version);
  return text === null ? null : JSON.parse(text);
}

/**
 * Fills in the weights of samples that came after the snapshot. Answers which rows they are; null if there is none.
 *
 * @param found its `weights` are changed
 */
export async function fillLaterWeights(
  store: SampleStore & SnapshotStore,
  dataset: string,
  ids: readonly string[],
  found: LookedUp,
): Promise<Uint8Array | null> {
  const { snapshot, shapes, shapeOf, weights, signals, signalsMax } = found;
  if (snapshot === null) return null;
  const rows: number[] = [];
  for (let row = 0; row < ids.length; row++)
    if ((shapeOf[row] as number) >= 0 && Number.isNaN(weights[row] as number)) rows.push(row);
  if (rows.length === 0) return null;
  const weighing = await readLaterWeighing(store, dataset, snapshot.version);
  if (weighing === null) return null;
  const labels = weighing.balance
    ? (
        await store.readSamples(
          dataset,
          rows.map((row) => ids[row] as string),
        )
      ).map((each) => each?.record.label ?? null)
    : [];
  const later = new Uint8Array(ids.length);
  for (const [index, row] of rows.entries()) {
    const names = shapes[shapeOf[row] as number]?.signals ?? [];
    const value = (name: string): number | undefined => {
      const place = names.indexOf(name);
      return place < 0 ? undefined : signals[row * signalsMax + place];
    };
    const weight = weightOfLater(weighing, { value, label: labels[index] ?? null });
    if (weight === null) continue;
    weights[row] = weight;
    later[row] = 1;
  }
  return later;
}
