import { signalsAt } from "../../importance/columns.js";
import { addLogits } from "../../importance/logit-totals.js";
import { historySignals, type NamedSignals } from "../../importance/signals/history.js";
import { SIGNAL_TABLE } from "../../importance/signals/table.js";
import { type LossName, SIGNALS, type SignalColumns, type SignalName } from "../../importance/types.js";
import { type ModelDescription, modelId, type Precision } from "../../ranker/port.js";
import type {
  EmbeddingStore,
  FreshEmbeddings,
  HistoryRules,
  SampleStore,
  WrittenEmbeddings,
} from "../../store/dataset-port.js";
import {
  type SampleHistory,
  type SampleRecord,
  SignalRow,
  type TrainingCheckpoint,
} from "../../store/dataset-records.js";
import type { OutputsKey, OutputsStore } from "../../store/port.js";
import { groupDigests, textDigests } from "../outputs/digests.js";
import { type Sample, textOf } from "../requests/sample.js";

/** What a dataset is to remember of a scored batch: N samples with their ids, the keys of their outputs, and their signals. */
export interface KeptBatch {
  readonly dataset: string;
  readonly ids: readonly string[]; // (N)
  readonly samples: readonly Sample[]; // (N)
  readonly keys: readonly OutputsKey[]; // (N)
  readonly columns: SignalColumns; // (N)
  readonly logits: Float32Array; // (N, K)
  /** (N, D) Embeddings of the samples; null if the dataset keeps none. */
  readonly embeddings: Pick<FreshEmbeddings, "origin" | "values"> | null;
  /** The checkpoint by which the histories keep the logits; null if the request names none. */
  readonly checkpoint: TrainingCheckpoint | null;
  readonly model: ModelDescription;
  readonly precision: Precision;
  readonly loss: LossName;
  readonly directions: readonly string[];
}

/**
 * Remembers a scored batch under its ids: either all of it or nothing. A sample that the dataset has keeps the signals that still
 * hold: see `mergeRecords`. The embeddings follow in a write of their own: the store keeps one only while its sample has the text.
 */
export async function keepSamples(
  store: SampleStore & EmbeddingStore & OutputsStore,
  batch: KeptBatch,
): Promise<WrittenEmbeddings> {
  const { dataset, ids, samples, keys, columns, precision, loss, directions } = batch;
  const digestKey = await store.digestKey();
  const digestText = textDigests(digestKey);
  const digestGroup = groupDigests(digestKey);
  const scoredAtMs = Date.now();
  const model = modelId(batch.model);
  const { classes } = batch.model;
  const withReference = new Set<SampleRecord>();
  const entries = samples.map((sample, index) => {
    const { label = null, group, source = null } = sample;
    const record: SampleRecord & { readonly textDigest: Buffer } = {
      outputsKey: keys[index] as OutputsKey,
      textDigest: digestText(textOf(sample)),
      model,
      precision,
      loss,
      directions,
      source,
      observed: null,
      earlier: new Map(),
      label,
      group: group === undefined ? null : digestGroup(group),
      signals: new Map<string, number>([...extrasIn(sample), ...signalsAt(columns, index)]),
      scoredAtMs,
    };
    if (sample.reference_loss !== undefined) withReference.add(record);
    return { id: ids[index] as string, record, logits: logitsAt(batch.logits, index, classes) };
  });
  const merge = mergeRecords({ classes, hasReference: (fresh) => withReference.has(fresh) });
  await store.writeSamples(dataset, entries, merge, { ...HISTORY_RULES, checkpoint: batch.checkpoint });
  if (batch.embeddings === null) return { kept: 0, withoutRoom: 0 };
  const digests = entries.map(({ record }) => record.textDigest);
  return store.writeEmbeddings(dataset, { ...batch.embeddings, ids, textDigests: digests });
}

/** (K) The logits of one sample of (N, K). */
export function logitsAt(logits: ArrayLike<number>, index: number, classes: number): number[] {
  const own: number[] = [];
  for (let k = 0; k < classes; k++) own.push(logits[index * classes + k] as number);
  return own;
}

function extrasIn({ extras = {} }: Sample): [string, number][] {
  return Object.entries(extras).map(([name, value]) => [EXTRAS_PREFIX + name, value]);
}

/** What a signal of a record depends on, in addition to text, model and precision. */
interface Dependence {
  /** On several checkpoints: the store computes it with each writing. */
  readonly history: boolean;
  /** On the label, and so on the loss and the group. */
  readonly label: boolean;
  readonly directions: boolean;
  readonly reference: boolean;
  readonly extras: boolean;
}

/** Names of extras in a record. */
export const EXTRAS_PREFIX = "extras.";

/** What the writer knows of a fresh record beyond the record itself. */
export interface FreshFacts {
  /** K of the model. */
  readonly classes: number;
  /** Whether the sample came with a reference loss. */
  hasReference(fresh: SampleRecord): boolean;
}

/**
 * The record to keep of a sample that is scored again. The signals that the new scoring did not compute stay if what they depend
 * on is the same: text, model and precision; for most label, loss and group; for some the directions, the reference or the
 * extras. Of a sample whose outputs were observed since, the signals stay that the same model computed before. Source and extras
 * stay unless new ones were sent.
 */
export function mergeRecords({
  classes,
  hasReference,
}: FreshFacts): (old: SampleRecord, fresh: SampleRecord) => SampleRecord {
  return (old, fresh) => {
    const source = fresh.source ?? old.source;
    const sentExtras = extrasOf(fresh);
    const extras = sentExtras.length > 0 ? sentExtras : extrasOf(old);
    if (!isSameText(old, fresh)) return { ...fresh, source, signals: new Map([...extras, ...fresh.signals]) };
    const isSame = {
      label: old.loss === fresh.loss && old.group === fresh.group && isSameLabel(old.label, fresh.label),
      directions: fresh.directions.length === 0 || isSameList(old.directions, fresh.directions),
      reference: !hasReference(fresh),
      extras: sentExtras.length === 0 || isSameExtras(extrasOf(old), sentExtras),
    };
    const signals = new Map(extras);
    let directions = fresh.directions;
    for (const [name, value] of old.signals) {
      const known = SIGNALS.find((signal) => signal === name);
      if (known === undefined || fresh.signals.has(name) || originOf(old, name) !== fresh.model) continue;
      const needs = dependence(known, classes);
      if (
        needs.history ||
        (needs.label && !isSame.label) ||
        (needs.directions && !isSame.directions) ||
        (needs.reference && !isSame.reference) ||
        (needs.extras && !isSame.extras)
      )
        continue;
      signals.set(name, value);
      if (needs.directions) directions = old.directions;
    }
    for (const [name, value] of fresh.signals) signals.set(name, value);
    return { ...fresh, source, directions, signals };
  };
}

/** What the signal depends on, for a model with `classes` logits. */
export function dependence(name: SignalName, classes: number): Dependence {
  const { labelOfOneLogit, labelOfManyLogits, reads } = SIGNAL_TABLE[name];
  const isLearned = reads.includes("learned");
  return {
    history: reads.includes("history"),
    // A learned signal may read any other.
    label: isLearned || (classes === 1 ? labelOfOneLogit : labelOfManyLogits) !== "none",
    directions: isLearned || reads.includes("tangent"),
    reference: isLearned || reads.includes("reference"),
    extras: isLearned,
  };
}

/** The model that computed a signal of the record. */
export function originOf(
  { model, earlier }: Pick<SampleRecord, "model" | "earlier">,
  signal: string,
): string {
  return earlier.get(signal) ?? model;
}

/** Whether both records are of the same text in the same precision. */
function isSameText(old: SampleRecord, fresh: SampleRecord): boolean {
  // One key covers text, weights and precision. Records of version 1a1e855 have no more than that.
  if (old.outputsKey !== null && fresh.outputsKey?.equals(old.outputsKey)) return true;
  if (old.textDigest === null || fresh.textDigest === null) return false;
  return old.textDigest.equals(fresh.textDigest) && old.precision === fresh.precision;
}

/** Whether two labels are the same, to the last bit. */
export function isSameLabel(a: SampleRecord["label"], b: SampleRecord["label"]): boolean {
  return typeof a === "object" && a !== null && typeof b === "object" && b !== null
    ? isSameList(a, b)
    : Object.is(a, b);
}

function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((each, index) => Object.is(each, b[index]));
}

function extrasOf({ signals }: SampleRecord): [string, number][] {
  return [...signals].filter(([name]) => name.startsWith(EXTRAS_PREFIX));
}

/** Stored extras are float32. */
function isSameExtras(old: readonly [string, number][], sent: readonly [string, number][]): boolean {
  const values = new Map(old);
  return old.length === sent.length && sent.every(([name, value]) => values.get(name) === Math.fround(value));
}

/**
 * How writings of samples keep their histories, whatever the checkpoint: they add its logits, and compute the signals of the
 * history under the sample's present label and loss.
 */
export const HISTORY_RULES: Omit<HistoryRules, "checkpoint"> = { merge: addLogits, withSignals };

function withSignals(record: SampleRecord, history: SampleHistory): SampleRecord {
  const found = historySignals(history, record.label, record.loss as LossName);
  if (found === null) return record;
  const { outputsKey, textDigest, model, precision, loss, directions, source } = record;
  const { observed, earlier, label, group, scoredAtMs } = record;
  const signals = joined(record.signals, found);
  // Without a spread, which takes longer than all else here.
  return {
    outputsKey,
    textDigest,
    model,
    precision,
    loss,
    directions,
    source,
    observed,
    earlier,
    label,
    group,
    signals,
    scoredAtMs,
  };
}

/** The signals and those of the history, which they do not have yet. */
function joined(signals: ReadonlyMap<string, number>, { names, values }: NamedSignals): SignalRow {
  const own =
    signals instanceof SignalRow ? signals : new SignalRow([...signals.keys()], [...signals.values()]);
  const numbers = own.numbers.slice();
  // `concat` takes several times as long.
  for (const value of values) numbers.push(value);
  return new SignalRow(joinedNames(own.names, names), numbers);
}

/** The joined names of lists that many samples share. */
const joinedWith = new WeakMap<readonly string[], WeakMap<readonly string[], readonly string[]>>();

function joinedNames(first: readonly string[], second: readonly string[]): readonly string[] {
  const known = joinedWith.get(first) ?? new WeakMap<readonly string[], readonly string[]>();
  joinedWith.set(first, known);
  const names = known.get(second) ?? [...first, ...second];
  known.set(second, names);
  return names;
}
