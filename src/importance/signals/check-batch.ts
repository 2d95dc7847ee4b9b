import { labelFault } from "../labels.js";
import {
  BATCH_MATRICES,
  isGroupLoss,
  type Label,
  type LogitBatch,
  type LossName,
  MATRIX_ENTRIES,
  type SignalName,
} from "../types.js";
import type { SignalContext } from "./context.js";
import type { Reading } from "./signal.js";
import { suitableLosses, suitableSignals } from "./suitability.js";
import { SIGNAL_TABLE } from "./table.js";

/** Throws RangeError if `computeSignals` cannot read the batch. This is a bug in the caller, which must refuse such requests. */
export function checkBatch(
  batch: LogitBatch,
  labels: readonly Label[],
  loss: LossName,
  names: readonly SignalName[],
  context: SignalContext,
): void {
  checkShapes(batch, labels.length);
  if (!suitableLosses(batch.classes).includes(loss)) {
    throw new RangeError(`${loss} does not suit ${batch.classes} logits`);
  }
  if (isGroupLoss(loss)) checkGroups(context.groups, labels.length, loss);
  const suitable = suitableSignals(loss);
  for (const name of names) {
    if (!suitable.includes(name)) throw new RangeError(`${name} does not suit ${loss}`);
    const lacking = SIGNAL_TABLE[name].reads.find((reading) => !isThere(reading, batch, context));
    if (lacking !== undefined) throw new RangeError(`${name} reads a ${lacking}, but the batch has none`);
  }
  for (const [index, label] of labels.entries()) {
    const fault = labelFault(label, loss, batch.classes);
    if (fault !== null) throw new RangeError(`label ${index}: ${fault}`);
  }
}

function checkShapes(batch: LogitBatch, count: number): void {
  const { logits, featureNormsSquared, classes } = batch;
  if (logits.length !== count * classes || featureNormsSquared.length !== count) {
    throw new RangeError(
      `the counts do not fit: ${count} labels, ${logits.length} logits of ${classes} classes, ${featureNormsSquared.length} feature norms`,
    );
  }
  for (const name of BATCH_MATRICES) {
    const entries = batch[name]?.length ?? 0;
    if (batch[name] !== undefined && entries !== count * MATRIX_ENTRIES[name](classes)) {
      throw new RangeError(`${entries} entries of ${name} do not fit ${count} samples of ${classes} classes`);
    }
  }
  checkFinite("logit", logits);
  checkFinite("feature norm", featureNormsSquared);
  for (const name of BATCH_MATRICES) checkFinite(`${name}'s entry`, batch[name] ?? []);
}

function checkFinite(what: string, values: Float32Array | Float64Array | readonly number[]): void {
  if (!values.every(Number.isFinite)) throw new RangeError(`a ${what} is not finite`);
}

function checkGroups(groups: SignalContext["groups"], count: number, loss: LossName): void {
  if (groups === undefined || groups.length !== count || groups.includes(null)) {
    throw new RangeError(`${loss} needs the group of each of ${count} samples`);
  }
}

function isThere(reading: Reading, batch: LogitBatch, context: SignalContext): boolean {
  switch (reading) {
    case "reference":
      return context.referenceLosses !== undefined;
    case "learned":
    case "history":
      return false; // they have no formula
    default:
      return batch[reading] !== undefined;
  }
}
