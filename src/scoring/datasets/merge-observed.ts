import { DIRECTION_SIGNALS } from "../../importance/signals/directions.js";
import { GRADIENT_SIGNALS } from "../../importance/signals/gradients.js";
import type { SignalName } from "../../importance/types.js";
import type { MergeRecords, SampleRecord } from "../../store/port.js";
import { dependence, extrasOf, isSameLabel, originOf } from "./keep.js";

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
  return (old, fresh) => {
    const isOther = isOtherText(old, fresh);
    const group = fresh.group ?? old.group;
    const signals = new Map(extrasOf(old));
    const earlier = new Map<string, string>();
    let directions: readonly string[] = [];
    if (!isOther) {
      const isSame = old.loss === fresh.loss && old.group === group && isSameLabel(old.label, fresh.label);
      for (const [name, value] of old.signals) {
        if (!isGradientSignal(name) || fresh.signals.has(name) || isObserved(old, name)) continue;
        const needs = dependence(name, classes);
        if (needs.label && !isSame) continue;
        signals.set(name, value);
        earlier.set(name, originOf(old, name));
        if (needs.directions) directions = old.directions;
      }
    }
    for (const [name, value] of fresh.signals) signals.set(name, value);
    return {
      ...fresh,
      outputsKey: isOther ? null : old.outputsKey,
      textDigest: fresh.textDigest ?? old.textDigest,
      source: fresh.source ?? old.source,
      group,
      directions,
      earlier,
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
