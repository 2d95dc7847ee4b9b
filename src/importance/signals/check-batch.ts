import { labelFault } from "../labels.js";
import { isGroupLoss, type Label, type LogitBatch, type LossName, type SignalName } from "../types.js";
import type { SignalContext } from "./context.js";
import type { Reading } from "./signal.js";
import { suitableLosses, suitableSignals } from "./suitability.js";
import { SIGNAL_TABLE } from "./table.js";

/** Throws RangeError for what `computeSignals` cannot read: a fault of the caller, who has refused the request's faults. */
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
    if (lacking !== undefined) throw new RangeError(`${name} reads a ${lacking}, and the batch has none`);
  }
  for (const [index, label] of labels.entries()) {
    const fault = labelFault(label, loss, batch.classes);
    if (fault !== null) throw new RangeError(`label ${index}: ${fault}`);
  }
}

function checkShapes(
  { logits, featureNormsSquared, grams, tangents, classes }: LogitBatch,
  count: number,
): void {
  if (logits.length !== count * classes || featureNormsSquared.length !== count) {
    throw new RangeError(
      `${count} labels, ${logits.length} logits of ${classes} classes, ${featureNormsSquared.length} feature norms`,
    );
  }
  if (grams && grams.length !== count * classes * classes) {
    throw new RangeError(`${grams.length} entries of grams for ${count} samples of ${classes} classes`);
  }
  if (tangents && tangents.length !== count * classes) {
    throw new RangeError(`${tangents.length} tangents for ${count} samples of ${classes} classes`);
  }
  const parts = {
    logit: logits,
    "feature norm": featureNormsSquared,
    "gram's entry": grams,
    tangent: tangents,
  };
  for (const [what, values] of Object.entries(parts)) {
    if (values && !values.every(Number.isFinite)) throw new RangeError(`a ${what} is not finite`);
  }
}

function checkGroups(groups: SignalContext["groups"], count: number, loss: LossName): void {
  if (groups === undefined || groups.length !== count || groups.includes(null)) {
    throw new RangeError(`${loss} reads the group of each of ${count} samples`);
  }
}

function isThere(reading: Reading, { grams, tangents }: LogitBatch, context: SignalContext): boolean {
  switch (reading) {
    case "gram":
      return Boolean(grams);
    case "tangent":
      return Boolean(tangents);
    case "reference":
      return context.referenceLosses !== undefined;
    case "learned":
      return false; // it has no formula
  }
}
