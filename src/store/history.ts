import { AssayError, faultsError } from "../errors.js";
import { fromFloat16, toFloat16 } from "./codec/float16.js";
import type { HistoryRules } from "./dataset-port.js";
import {
  CHECKPOINTS_KEPT,
  CHECKPOINTS_MAX,
  type SampleHistory,
  type SampleRecord,
  type TrainingCheckpoint,
} from "./dataset-records.js";

/** A dataset's list of checkpoints, and the place in it of the checkpoint that a writing adds logits of. */
export interface PlacedCheckpoint {
  /** With the writing's checkpoint, if it is new. */
  readonly checkpoints: readonly TrainingCheckpoint[];
  /** Null if the writing has no checkpoint. */
  readonly number: number | null;
}

/**
 * Finds the checkpoint in the dataset's list, or adds it.
 * @throws AssayError `checkpoint_conflict` or `checkpoints_full`
 */
export function placeCheckpoint(
  known: readonly TrainingCheckpoint[],
  checkpoint: TrainingCheckpoint | null,
): PlacedCheckpoint {
  if (checkpoint === null) return { checkpoints: known, number: null };
  const number = known.findIndex(({ name }) => name === checkpoint.name);
  if (number < 0) {
    if (known.length >= CHECKPOINTS_MAX)
      throw new AssayError("checkpoints_full", {
        detail: `The dataset has ${known.length} checkpoints: name the checkpoint of the epoch, not of each step`,
      });
    return { checkpoints: [...known, checkpoint], number: known.length };
  }
  const { step } = known[number] as TrainingCheckpoint;
  if (step === checkpoint.step) return { checkpoints: known, number };
  const message = `must be ${step}, with which the dataset knows the checkpoint ${JSON.stringify(checkpoint.name)}: send that step, or another name`;
  throw faultsError("checkpoint_conflict", [{ path: "/checkpoint/step", message }]);
}

/** A sample that is being written, before it has the signals of its history. */
export interface WrittenSample {
  readonly record: SampleRecord;
  /** (K) What the writing's checkpoint gave to it. */
  readonly logits: readonly number[] | undefined;
  /** What the dataset has of it; null if it is new. */
  readonly old: { readonly record: SampleRecord; readonly history: SampleHistory | null } | null;
}

export interface GrownHistory {
  /** With the signals of its history. */
  readonly record: SampleRecord;
  /** Null if the sample has none. */
  readonly history: SampleHistory | null;
  /** Whether the history has already merged the writing's step. */
  readonly late: boolean;
}

/** The record and the history to keep of a sample. A text that is known to be another one starts the history again. */
export function growHistory(
  { record, logits, old }: WrittenSample,
  { checkpoints, number }: PlacedCheckpoint,
  rules: HistoryRules,
): GrownHistory {
  const known = old === null || isOtherText(old.record, record) ? null : old.history;
  const grown =
    number === null || logits === undefined ? known : withLogits(known, number, logits, checkpoints, rules);
  const history = grown ?? known;
  return {
    record: history === null ? record : rules.withSignals(record, history),
    history,
    late: grown === null && known !== null,
  };
}

function isOtherText(old: SampleRecord, fresh: SampleRecord): boolean {
  return old.textDigest !== null && fresh.textDigest !== null && !old.textDigest.equals(fresh.textDigest);
}

/** The history with the logits in their place by step; null if it has already merged that step. */
function withLogits(
  known: SampleHistory | null,
  number: number,
  exact: readonly number[],
  all: readonly TrainingCheckpoint[],
  rules: HistoryRules,
): SampleHistory | null {
  const classes = exact.length;
  // The signals are computed from what the store will read.
  const logits = exact.map((z) => fromFloat16(toFloat16(z)));
  if (known === null || known.classes !== classes)
    return { classes, checkpoints: [number], logits, merged: null };
  const { checkpoints, merged } = known;
  const stepOf = (each: number): number => all[each]?.step ?? 0;
  const step = stepOf(number);
  if (merged !== null && step <= stepOf(merged.through)) return null;
  const place = checkpoints.indexOf(number);
  if (place >= 0) return { ...known, logits: spliced(known.logits, place * classes, classes, logits) };
  let at = checkpoints.length;
  while (at > 0 && stepOf(checkpoints[at - 1] as number) > step) at--;
  const inserted = spliced(known.logits, at * classes, 0, logits);
  const numbers = spliced(checkpoints, at, 0, [number]);
  return mergeOldest({ classes, checkpoints: numbers, logits: inserted, merged }, rules);
}

/** A copy with `added` in place of `removed` numbers from `at` on. */
function spliced(
  numbers: readonly number[],
  at: number,
  removed: number,
  added: readonly number[],
): number[] {
  const copy = numbers.slice();
  copy.splice(at, removed, ...added);
  return copy;
}

function mergeOldest(history: SampleHistory, { merge }: HistoryRules): SampleHistory {
  const { classes, checkpoints, logits, merged } = history;
  const [through] = checkpoints;
  if (checkpoints.length <= CHECKPOINTS_KEPT || through === undefined) return history;
  return {
    classes,
    checkpoints: checkpoints.slice(1),
    logits: logits.slice(classes),
    merged: { ...merge(merged, logits.slice(0, classes)), through },
  };
}
