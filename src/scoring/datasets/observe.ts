import { type Fault, throwFaults } from "../../errors.js";
import { computeSignals } from "../../importance/signals/compute.js";
import { suitableLosses, suitableSignals } from "../../importance/signals/suitability.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import {
  isGroupLoss,
  type Label,
  type LossName,
  type SignalColumns,
  type SignalName,
} from "../../importance/types.js";
import { giveTurn } from "../../observe/turns.js";
import type { SampleEntry, SampleStore } from "../../store/dataset-port.js";
import { type SampleRecord, SignalRow, type TrainingCheckpoint } from "../../store/dataset-records.js";
import type { OutputsStore } from "../../store/port.js";
import { groupDigests } from "../outputs/digests.js";
import { refuseLabels, refuseRepeatedIds, refuseUngrouped } from "../requests/checks.js";
import { HISTORY_RULES, logitsAt } from "./keep.js";
import { mergeObserved } from "./merge-observed.js";

/** The name of the model of an observation that names none. */
export const OBSERVED_MODEL = "observed";

/** Modes of a model while a trainer observes its outputs: dropout is on in `train`. */
export const OBSERVED_MODES = ["train", "eval"] as const;
export type ObservedMode = (typeof OBSERVED_MODES)[number];

/** What all samples of an observation have in common. */
export interface Observation {
  readonly model: string;
  readonly checkpoint: TrainingCheckpoint;
  readonly loss: LossName;
  readonly mode: ObservedMode;
}

/** What a trainer observed of N samples, in columns. */
export interface ObservedSamples {
  readonly ids: readonly string[]; // (N)
  readonly labels: readonly Label[]; // (N)
  readonly logits: Float32Array; // (N, K), finite
  readonly classes: number; // K
  /** (N) ‖h‖ of the last layer's input; NaN if it was not sent. */
  readonly featureNorms: Float64Array;
  /** (N) Null if it was not sent. */
  readonly groups: readonly (string | null)[];
  readonly sources: readonly (string | null)[];
  /** (N) 6 bytes as a record has them. */
  readonly textDigests: readonly (Buffer | null)[];
}

export interface Observed {
  readonly samples: number;
  /** Samples whose histories had already merged a checkpoint of this step or a later one, and stayed as they were. */
  readonly late: number;
}

/**
 * Remembers the outputs of a trainer's own model, without a run: each sample gets the signals of its logits and label, and its
 * history the logits by checkpoint. All samples are written, or none.
 *
 * Throws `unsuitable_loss`, `unsuitable_label`, `invalid_sample` (a loss of groups and a sample without a group), `duplicate_id`,
 * `checkpoint_conflict`, `checkpoints_full`, and what the store throws.
 */
export async function observeSamples(
  store: SampleStore & OutputsStore,
  dataset: string,
  observation: Observation,
  samples: ObservedSamples,
): Promise<Observed> {
  const { model, checkpoint, loss, mode } = observation;
  const { ids, labels, logits, classes, groups, sources, textDigests } = samples;
  checkObserved(observation, samples);
  const columns = signalsOf(loss, samples);
  await giveTurn();
  const digestGroup = groupDigests(await store.digestKey());
  const scoredAtMs = Date.now();
  const signalsAt = signalRows(columns);
  const at = (index: number): SampleEntry => {
    const group = groups[index] ?? null;
    const record: SampleRecord = {
      outputsKey: null,
      textDigest: textDigests[index] ?? null,
      model,
      precision: null,
      loss,
      directions: NONE,
      source: sources[index] ?? null,
      observed: mode,
      earlier: NOTHING,
      label: labels[index] ?? null,
      group: group === null ? null : digestGroup(group),
      signals: signalsAt(index),
      scoredAtMs,
    };
    return { id: ids[index] as string, record, logits: logitsAt(logits, index, classes) };
  };
  const entries = { length: ids.length, at };
  const { late } = await store.writeSamples(dataset, entries, mergeObserved(classes), {
    ...HISTORY_RULES,
    checkpoint,
  });
  return { samples: ids.length, late };
}

const NONE: readonly string[] = [];
const NOTHING: ReadonlyMap<string, string> = new Map();

function checkObserved(
  { loss }: Observation,
  { ids, labels, classes, groups }: Pick<ObservedSamples, "ids" | "labels" | "classes" | "groups">,
): void {
  const suitable = suitableLosses(classes);
  if (!suitable.includes(loss)) {
    const logits = classes === 1 ? "one logit" : `${classes} logits`;
    const message = `must be one of ${suitable.join(", ")}: the samples have ${logits}`;
    const faults: Fault[] = [{ path: "/loss", message }];
    throwFaults("unsuitable_loss", faults);
  }
  refuseRepeatedIds(ids);
  refuseLabels(labels, loss, classes);
  refuseUngrouped(groups, loss);
}

/** Every signal that logits and labels give, and `grad_norm_last` of the samples that came with ‖h‖. */
function signalsOf(
  loss: LossName,
  { labels, logits, classes, featureNorms, groups }: ObservedSamples,
): SignalColumns {
  const hasNorms = featureNorms.some((norm) => !Number.isNaN(norm));
  const names = suitableSignals(loss).filter(
    (name) => SIGNAL_TABLE[name].reads.length === 0 && (hasNorms || name !== NORM_SIGNAL),
  );
  const featureNormsSquared = featureNorms.map((norm) => (Number.isNaN(norm) ? 0 : norm * norm));
  const batch = { logits, featureNormsSquared, classes };
  const columns = computeSignals(batch, labels, loss, names, isGroupLoss(loss) ? { groups } : {});
  const normColumn = columns.get(NORM_SIGNAL);
  if (normColumn !== undefined)
    columns.set(
      NORM_SIGNAL,
      normColumn.map((value, index) => (Number.isNaN(featureNorms[index]) ? null : value)),
    );
  return columns;
}

/** The one signal that reads ‖h‖. */
const NORM_SIGNAL: SignalName = "grad_norm_last";

/** A function that gives each sample the signals that its label allows. Samples with the same signals share their names. */
function signalRows(columns: SignalColumns): (index: number) => SignalRow {
  const all = [...columns];
  const namesByLack = new Map<number, readonly string[]>();
  return (index) => {
    const numbers: number[] = [];
    let lack = 0;
    for (let place = 0; place < all.length; place++) {
      const value = all[place]?.[1][index];
      if (typeof value === "number") numbers.push(value);
      else lack |= 1 << place;
    }
    const names =
      namesByLack.get(lack) ?? all.filter((_, place) => (lack & (1 << place)) === 0).map(([name]) => name);
    namesByLack.set(lack, names);
    return new SignalRow(names, numbers);
  };
}
