import { DIRECTION_SIGNALS } from "../../importance/signals/directions.js";
import { GRADIENT_SIGNALS } from "../../importance/signals/gradients.js";
import type { SignalName } from "../../importance/types.js";
import type { MergeRecords } from "../../store/dataset-port.js";
import { type SampleRecord, SignalRow } from "../../store/dataset-records.js";
import { dependence, EXTRAS_PREFIX, isSameLabel, originOf } from "./keep.js";

type GradientSignal = keyof typeof GRADIENT_SIGNALS | keyof typeof DIRECTION_SIGNALS;

function isGradientSignal(name: string): name is GradientSignal & SignalName {
  return name in GRADIENT_SIGNALS || name in DIRECTION_SIGNALS;
}

/**
 * The record to keep of a sample whose outputs a trainer observed. The signals are those of the observation. Signals of gradients
 * that a model of Assay computed for the same text stay, marked with that model, unless they depend on a label, loss or group
 * that is now another. What an observation does not say stays: text digest, group, source, extras, and the key of the outputs.
 *
 * @param classes K of the observed logits
 */
export function mergeObserved(classes: number): MergeRecords {
  const keepable = keepableSignals(classes);
  return (old, fresh) => {
    const isOther = isOtherText(old, fresh);
    const group = fresh.group ?? old.group;
    const isSame = old.loss === fresh.loss && old.group === group && isSameLabel(old.label, fresh.label);
    const { extras, gradients } = keepable(old.signals);
    const stays = ({ name, label }: KeepableSignal): boolean =>
      !isOther && !fresh.signals.has(name) && !isObserved(old, name) && (isSame || !label);
    const staying = gradients.length === 0 ? gradients : gradients.filter(stays);
    const kept = [...extras, ...staying.map(({ name }) => name)];
    const signals =
      kept.length === 0
        ? fresh.signals
        : new Map([
            ...kept.map((name) => [name, old.signals.get(name) as number] as const),
            ...fresh.signals,
          ]);
    return {
      ...fresh,
      outputsKey: isOther ? null : old.outputsKey,
      textDigest: fresh.textDigest ?? old.textDigest,
      source: fresh.source ?? old.source,
      group,
      directions: staying.some(({ directions }) => directions) ? old.directions : NO_DIRECTIONS,
      earlier:
        staying.length === 0
          ? fresh.earlier
          : new Map(staying.map(({ name }) => [name, originOf(old, name)])),
      signals,
    };
  };
}

/** Whether the signal comes of a trainer's outputs, at a checkpoint that is no longer the newest. */
function isObserved(old: SampleRecord, name: string): boolean {
  return old.observed !== null && !old.earlier.has(name);
}

function isOtherText(old: SampleRecord, fresh: SampleRecord): boolean {
  return old.textDigest !== null && fresh.textDigest !== null && !old.textDigest.equals(fresh.textDigest);
}

const NO_DIRECTIONS: readonly string[] = [];

/** A signal of gradients, and what it depends on. */
interface KeepableSignal {
  readonly name: SignalName;
  readonly label: boolean;
  readonly directions: boolean;
}

/** What of its signals a record can keep, found once for names that records share. */
function keepableSignals(classes: number) {
  interface Keepable {
    readonly extras: readonly string[];
    readonly gradients: readonly KeepableSignal[];
  }
  const found = new WeakMap<readonly string[], Keepable>();
  return (signals: ReadonlyMap<string, number>): Keepable => {
    const names = signals instanceof SignalRow ? signals.names : [...signals.keys()];
    const known = found.get(names);
    if (known !== undefined) return known;
    const gradients = names.filter(isGradientSignal).map((name) => ({ name, ...dependence(name, classes) }));
    const keepable = { extras: names.filter((name) => name.startsWith(EXTRAS_PREFIX)), gradients };
    found.set(names, keepable);
    return keepable;
  };
}
